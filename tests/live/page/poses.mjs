/** Runs the page's arithmetic for test_arithmetic.py: questions come as JSON on standard input, answers go out. */

import { readFileSync } from "node:fs";

const page = new URL("../../../live/page/", import.meta.url);
const motion = await import(new URL("motion.mjs", page));
const { CausalSmoother } = await import(new URL("smoothing.mjs", page));
const { Flight } = await import(new URL("engine.mjs", page));
const { LiveSession } = await import(new URL("live.mjs", page));
const { Meter } = await import(new URL("meter.mjs", page));
const { threadChoices } = await import(new URL("runtime.mjs", page));
const pixels = await import(new URL("pixels.mjs", page));

const tensor = ({ data, dims }) => ({ data: Float32Array.from(data), dims });
const pose = (named) => Object.fromEntries(Object.entries(named).map(([name, value]) => [name, tensor(value)]));
const plain = (named) =>
    Object.fromEntries(Object.entries(named).map(([name, { data, dims }]) => [name, { data: [...data], dims }]));

const questions = {
    relative: ({ own, anchor, driving }) => {
        const [ours, first] = [pose(own), pose(anchor)];
        const scale = motion.movementScale(ours, first);
        return plain(motion.relative(ours, first, pose(driving), scale));
    },
    controlled: ({ controls, own, driving, spec }) =>
        plain(motion.controlled(controls, pose(own), pose(driving), spec)),
    smoothed: ({ poses, seconds, rate, spec }) => {
        const smoother = new CausalSmoother(spec);
        return poses.map((one) => plain(smoother.next(pose(one), seconds, rate)));
    },
    threads: ({ isolated, processors }) => threadChoices(isolated, processors),
    hull: ({ points }) => motion.hullArea(points),
    fit: ({ bytes, width, height, size, mirror }) => [
        ...pixels.fit(Uint8ClampedArray.from(bytes), width, height, size, mirror),
    ],
    toPixels: ({ planes, size }) => [...pixels.toPixels(Float32Array.from(planes), size)],
    session: async ({ steps }) => {
        const animator = {
            motion: async (planes) => ({ points: { data: planes, dims: [1, planes.length / 2, 2] } }),
            prepare: async (planes) => ({ own: { points: { data: planes, dims: [1, planes.length / 2, 2] } }, state: {} }),
            render: async (_, { points }) => points.data,
        };
        const settings = { strength: 1, expression: 1, smooth: 0, mirror: false, framing: "whole" };
        const session = new LiveSession(settings);
        const square = (data) => ({ at: (_, mirror) => Float32Array.from(mirror ? data.map((x) => -x) : data) });
        await session.use({ animator, size: 1, spec: { poseExtras: [], relative: true } });
        const drawn = [];
        for (const [name, value] of steps) {
            if (name === "draw") {
                drawn.push([...(await session.draw(square(value), 40 * drawn.length))]);
            } else {
                await session[name](name === "show" ? square(value) : value);
            }
        }
        return drawn;
    },
    flight: async ({ most, offers }) => {
        const [sent, lost] = [[], []];
        const flight = new Flight(most, async (source, _, number) => sent.push([source, number]), () => lost.push(1));
        for (const [name, value] of offers) {
            name === "offer" ? flight.offer(value, 0) : flight.settle(value);
        }
        return { sent, lost: lost.length };
    },
    meter: ({ shown, now }) => {
        const meter = new Meter();
        shown.forEach(([capturedAt, at]) => meter.show(capturedAt, at));
        return meter.read(now);
    },
};

const asked = JSON.parse(readFileSync(0, "utf8"));
const answers = [];
for (const [name, question] of asked) {
    answers.push(await questions[name](question));
}
console.log(JSON.stringify(answers));
