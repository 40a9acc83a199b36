import { describe, expect, it } from "vitest";
import { parse } from "../../src/lib/prometheus";
import { type Buckets, between, moments, of, quantile, type Reading, reading } from "../../src/lib/traffic";

const TEXT = `# HELP lepton_requests_total Requests answered, by status
# TYPE lepton_requests_total counter
lepton_requests_total{app="digits",status="200"} 12.0
lepton_requests_total{app="digits",status="422"} 3.0
lepton_requests_total{app="",status="401"} 9.0
lepton_requests_created{app="digits",status="200"} 1.76e+09
lepton_request_seconds_bucket{app="digits",le="0.01"} 8.0
lepton_request_seconds_bucket{app="digits",le="0.001"} 4.0
lepton_request_seconds_bucket{app="digits",le="+Inf"} 12.0
lepton_batch_size_count{app="digits"} 5.0
lepton_batch_size_sum{app="digits"} 20.0
lepton_queue_length{app="digits"} 2.0
lepton_answers_total{app="digits",label="a \\"b\\\\c"} 7.0
`;

describe("reading", () => {
  const found = of(reading(parse(TEXT), 100), "digits");
  it("adds up what was answered and what was refused", () => {
    expect([found.answered, found.refused]).toEqual([12, 3]);
  });
  it("has buckets in the order of their bounds", () => {
    expect(found.seconds).toEqual([
      [0.001, 4],
      [0.01, 8],
      [Number.POSITIVE_INFINITY, 12],
    ]);
  });
  it("has batches, the queue, and labels with what was escaped in them", () => {
    expect([found.inputs / found.batches, found.waiting]).toEqual([4, 2]);
    expect(found.labels).toEqual({ 'a "b\\c': 7 });
  });
  it("knows nothing of an app that was not asked yet", () => {
    expect(of(reading(parse(TEXT), 100), "other").answered).toBe(0);
  });
});

describe("quantile", () => {
  const buckets: Buckets = [
    [1, 10],
    [2, 20],
    [Number.POSITIVE_INFINITY, 20],
  ];
  it.each([
    [0.25, 0.5],
    [0.5, 1],
    [0.75, 1.5],
    [1, 2],
  ])("of %d is %d", (q, value) => expect(quantile(q, buckets)).toBeCloseTo(value));
  it("is the last bound where it took longer than that", () => {
    expect(
      quantile(0.9, [
        [1, 1],
        [Number.POSITIVE_INFINITY, 10],
      ]),
    ).toBe(1);
  });
  it("is nothing of nothing", () => {
    expect(quantile(0.5, [])).toBeNull();
    expect(quantile(0.5, [[1, 0]])).toBeNull();
  });
});

describe("moments", () => {
  const at = (time: number, answered: number, refused = 0): Reading => ({
    time,
    apps: {
      digits: {
        answered,
        refused,
        seconds: [
          [0.002, answered],
          [Number.POSITIVE_INFINITY, answered],
        ],
        batches: answered / 2,
        inputs: answered,
        waiting: 1,
        labels: {},
      },
    },
  });
  it("are rates between readings, however far apart", () => {
    const found = moments([at(0, 10), at(1, 14), at(3, 20, 4)], "digits");
    expect(found.map(({ answered, refused }) => [answered, refused])).toEqual([
      [4, 0],
      [3, 2],
    ]);
    expect(found[0]).toMatchObject({ batch: 2, waiting: 1 });
    expect(found[0]?.p50).toBeCloseTo(1);
  });
  it("have no times where nothing was asked lately", () => {
    const quiet = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((time) => at(time, 10));
    expect(moments(quiet, "digits").at(-1)).toMatchObject({ answered: 0, p50: null, p95: null, batch: null });
  });
  it("begin again with the server", () => {
    const [found] = moments([at(0, 100), at(1, 6)], "digits");
    expect(found).toMatchObject({ answered: 6 });
    expect(between([[1, 100]], [[1, 6]])).toEqual([[1, 6]]);
  });
});
