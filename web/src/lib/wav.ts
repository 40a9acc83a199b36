/** Sound as a WAV file: what every server reads, and nothing lost but what 16 bits cannot hold. */

const HEADER = 44;
const TYPE = "audio/wav";

/** A mono recording, full scale at 1, as 16-bit PCM. */
export function encodeWav(samples: Float32Array, rate: number): Blob {
  const buffer = new ArrayBuffer(HEADER + 2 * samples.length);
  const view = new DataView(buffer);
  writeHeader(view, samples.length, rate);
  for (let index = 0; index < samples.length; index++) {
    const value = Math.max(-1, Math.min(1, samples[index]!));
    view.setInt16(HEADER + 2 * index, Math.round(value * 32767), true);
  }
  return new Blob([buffer], { type: TYPE });
}

function writeHeader(view: DataView, length: number, rate: number): void {
  const text = (at: number, word: string) => {
    for (let index = 0; index < word.length; index++) view.setUint8(at + index, word.charCodeAt(index));
  };
  text(0, "RIFF");
  view.setUint32(4, HEADER - 8 + 2 * length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); // bytes of the format that follow
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // one channel
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true); // bytes a second
  view.setUint16(32, 2, true); // bytes a sample
  view.setUint16(34, 16, true); // bits a sample
  text(36, "data");
  view.setUint32(40, 2 * length, true);
}

/** The pieces of a recording as one. */
export function joined(parts: Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
