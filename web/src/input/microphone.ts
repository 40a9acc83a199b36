/** The microphone's own samples: nothing is compressed, so what is sent is what was heard. */

import { Problem } from "../api/client";
import { encodeWav, joined } from "../lib/wav";
import tap from "./tap.worklet.js?url";

export interface Recording {
  /** Loudness of each block so far, full scale at 1. */
  levels: number[];
  seconds: () => number;
  stop: () => Promise<Blob>;
}

const PLAIN: MediaTrackConstraints = {
  channelCount: 1,
  echoCancellation: false,
  noiseSuppression: false,
  autoGainControl: false,
};

/** Start to record. Raises Problem where there is no microphone or it may not be used. */
export async function record(): Promise<Recording> {
  const stream = await microphone();
  const context = new AudioContext();
  await context.audioWorklet.addModule(tap);
  const node = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
  const parts: Float32Array[] = [];
  const levels: number[] = [];
  let length = 0;
  node.port.onmessage = ({ data }: MessageEvent<Float32Array>) => {
    parts.push(data);
    levels.push(loudest(data));
    length += data.length;
  };
  context.createMediaStreamSource(stream).connect(node);
  return {
    levels,
    seconds: () => length / context.sampleRate,
    async stop() {
      for (const track of stream.getTracks()) track.stop();
      node.port.onmessage = null;
      await context.close();
      if (!length) throw Problem.local("Nothing was recorded", "Record for a little longer");
      return encodeWav(joined(parts), context.sampleRate);
    },
  };
}

async function microphone(): Promise<MediaStream> {
  if (!navigator.mediaDevices) {
    throw Problem.local(
      "This page may not use the microphone",
      "Serve it over https or from localhost, or drop a file",
    );
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: PLAIN });
  } catch (error) {
    const refused = error instanceof DOMException && error.name === "NotAllowedError";
    throw refused
      ? Problem.local("The microphone was refused", "Allow it for this page in the browser's settings, or drop a file")
      : Problem.local("There is no microphone", "Plug one in, or drop a file");
  }
}

function loudest(block: Float32Array): number {
  return block.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
