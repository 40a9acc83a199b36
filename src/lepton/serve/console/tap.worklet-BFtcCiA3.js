/** Hands every block of the microphone's samples on to the page; runs in the browser's audio thread. */
class Tap extends AudioWorkletProcessor {
  process([input]) {
    if (input[0]) this.port.postMessage(input[0].slice());
    return true;
  }
}

registerProcessor("tap", Tap);
