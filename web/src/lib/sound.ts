/** Sound files as the browser hears them: their samples, and how loud they are over time. */

import { encodeWav } from "./wav";

/** The server reads these (libsndfile); anything else that the browser can play is sent as WAV. */
const READ = /\.(wav|flac|ogg|oga|opus|aiff?|mp3)$/i;
const READ_TYPES = /^audio\/(x-)?(wav|wave|flac|ogg|opus|aiff|mpeg|mp3)$/;

export interface Sound {
  samples: Float32Array;
  rate: number;
  seconds: number;
}

/** Decode a sound file to mono, or null where the browser cannot. */
export async function decode(file: Blob): Promise<Sound | null> {
  try {
    // An offline context decodes without asking for an output device; files are brought to its rate.
    const context = new OfflineAudioContext(1, 1, 48_000);
    const buffer = await context.decodeAudioData(await file.arrayBuffer());
    return { samples: mono(buffer), rate: buffer.sampleRate, seconds: buffer.duration };
  } catch {
    return null;
  }
}

function mono(buffer: AudioBuffer): Float32Array {
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, index) => buffer.getChannelData(index));
  const first = channels[0]!;
  if (channels.length === 1) return first;
  return first.map((_, at) => channels.reduce((sum, channel) => sum + channel[at]!, 0) / channels.length);
}

/** The file itself where the server can read it, else what the browser made of it, as WAV. */
export async function readable(file: File): Promise<Blob> {
  if (READ.test(file.name) || READ_TYPES.test(file.type)) return file;
  const sound = await decode(file);
  return sound ? encodeWav(sound.samples, sound.rate) : file;
}

/** The largest absolute value in each of `count` equal parts. */
export function peaks(samples: Float32Array, count: number): number[] {
  const step = samples.length / count;
  return Array.from({ length: count }, (_, index) => {
    const end = Math.max(Math.floor((index + 1) * step), Math.floor(index * step) + 1);
    let most = 0;
    for (let at = Math.floor(index * step); at < end && at < samples.length; at++) {
      most = Math.max(most, Math.abs(samples[at]!));
    }
    return most;
  });
}

/** The part of a recording that the model hears, as shares of its length: the centre, where it takes so much only. */
export function heard(length: number, settings: Record<string, unknown>): [number, number] {
  const { seconds, trim_db: trim } = settings;
  if (typeof seconds !== "number" || typeof trim === "number" || length <= seconds) return [0, 1];
  const edge = (1 - seconds / length) / 2;
  return [edge, 1 - edge];
}
