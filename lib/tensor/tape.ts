/** The tape: records operator calls and runs their backward kernels in reverse. */
import { ArgumentError, DtypeError, ShapeError, show } from '../core/errors.js';
import { sameShape } from '../core/shape.js';
import type { Call, Implementation, Kernel, OperatorRecord, OptionalTensors, Tensors } from './operator.js';
import { full, isTensor, setRecorded, Tensor } from './tensor.js';
import { treeMap, treeTensors, type Tree } from './tree.js';

interface Node {
  name: string;
  inputs: OptionalTensors;
  outputs: Tensors;
  /** Gradients by input name, given gradients by output name. */
  backward(grads: OptionalTensors, needs: (name: string) => boolean): OptionalTensors;
  saved: Tensors;
}

class Tape {
  readonly nodes: Node[] = [];
  readonly tracked = new Set<number>();
  /** Inside checkpoint(): the outer tape, whose tensors must come in as arguments. */
  constructor(readonly outer?: Tape) {}
}

const tapes: (Tape | null)[] = [];

function activeTape(): Tape | null {
  return tapes.length ? tapes[tapes.length - 1] : null;
}

setRecorded((t) => activeTape()?.tracked.has(t.id) ?? false);

function push<T>(tape: Tape | null, run: () => T): T {
  tapes.push(tape);
  try {
    return run();
  } finally {
    tapes.pop();
  }
}

/** Runs `fn` without recording. */
export function noGrad<T>(fn: () => T): T {
  return push(null, fn);
}

/** Will this call need a backward pass? */
export function shouldRecord(op: OperatorRecord, inputs: OptionalTensors): boolean {
  const tape = activeTape();
  if (!tape) return false;
  for (const t of Object.values(inputs))
    if (t && tape.outer?.tracked.has(t.id) && !tape.tracked.has(t.id))
      throw new ArgumentError(
        `checkpoint: fn must receive every recorded tensor as an argument, got ${t.origin} ${show([...t.shape])} from outside`,
      );
  return op.inputs.some(
    (spec) => spec.differentiable !== false && inputs[spec.name] && tape.tracked.has(inputs[spec.name]!.id),
  );
}

/** Puts a finished forward call on the tape. */
export function record(call: Call, implementation: Implementation, outputs: Tensors): void {
  const backward: Kernel | undefined = implementation.backward ?? call.op.gradient;
  if (!backward) {
    if (call.op.outputs.every((o) => o.differentiable === false)) return;
    throw new ArgumentError(
      `${call.op.id}: operator must have a gradient here, got none; wrap it in noGrad()`,
    );
  }
  const differentiable = new Set(call.op.inputs.filter((i) => i.differentiable !== false).map((i) => i.name));
  recordNode({
    name: call.op.id,
    inputs: Object.fromEntries(Object.entries(call.in).filter(([k, t]) => t && differentiable.has(k))),
    outputs: Object.fromEntries(
      Object.entries(outputs).filter(
        ([k]) => call.op.outputs.find((o) => o.name === k)?.differentiable !== false,
      ),
    ),
    saved: call.saved,
    backward: (grads, needs) => backward({ ...call, out: outputs, grad: grads, needs }),
  });
}

function recordNode(node: Node): void {
  const tape = activeTape();
  if (!tape) return;
  tape.nodes.push(node);
  for (const t of Object.values(node.outputs)) tape.tracked.add(t.id);
}

/**
 * Returns a function computing `fn`'s scalar value and its gradients with respect to the first argument, a tree. A tensor
 * that stands twice in the tree gets its whole gradient in both places.
 * Values: `{ value, grads, aux }`; `fn` may return a scalar tensor or `[scalar, aux]`.
 * @throws ArgumentError for a non-scalar loss, or when called while another tape records (no second derivatives)
 */
export function valueAndGrad<P extends Tree, A extends unknown[], X>(
  fn: (params: P, ...rest: A) => Tensor | [Tensor, X],
): (params: P, ...rest: A) => { value: Tensor; grads: P; aux: X | undefined } {
  return (params, ...rest) => {
    if (activeTape())
      throw new ArgumentError(
        'valueAndGrad: must not run inside another recorded function, got a nested call; second derivatives are not supported',
      );
    const tape = new Tape();
    for (const t of treeTensors(params)) tape.tracked.add(t.id);
    const result = push(tape, () => fn(params, ...rest));
    const [loss, aux] = Array.isArray(result) ? result : [result, undefined];
    if (!isTensor(loss) || loss.size !== 1)
      throw new ArgumentError(
        `valueAndGrad: fn must return a scalar tensor, got ${isTensor(loss) ? show([...loss.shape]) : show(loss)}`,
      );
    const leaves = new Set(treeTensors(params).map((t) => t.id));
    const grads = runBackward(tape, new Map([[loss.id, onesLike(loss)]]), leaves);
    // The caller owns both, so disposing the value must not dispose a parameter.
    const value = leaves.has(loss.id) ? loss.view() : loss;
    return { value, aux, grads: treeMap(params, (t) => grads.get(t.id) ?? zerosLike(t)) };
  };
}

/**
 * Runs `fn` on a tree of tensors and gives back its named outputs together with the pull-back: output gradients in
 * (missing ones count as zero), gradients of the tree out. May be pulled once.
 * @throws ArgumentError for a gradient of no output and for a second pull; ShapeError or DtypeError for one unlike its output
 */
export function vjp<P extends Tree>(
  fn: (params: P) => Tensors,
  params: P,
): { outputs: Tensors; pull: (grads: OptionalTensors) => P } {
  if (activeTape())
    throw new ArgumentError(
      'vjp: must not run inside another recorded function, got a nested call; second derivatives are not supported',
    );
  const tape = new Tape();
  const leaves = treeTensors(params);
  for (const t of leaves) tape.tracked.add(t.id);
  const outputs = push(tape, () => fn(params));
  let pulled = false;
  const pull = (grads: OptionalTensors) => {
    if (pulled) throw new ArgumentError('vjp: pull must be called once, got a second call; run vjp again');
    const seeds = seedsOf(outputs, grads);
    pulled = true;
    const found = runBackward(tape, seeds, new Set(leaves.map((t) => t.id)));
    return treeMap(params, (t) => found.get(t.id) ?? zerosLike(t));
  };
  return { outputs, pull };
}

/** Gradients of outputs by tensor; one tensor under two names gets the sum. */
function seedsOf(outputs: Tensors, grads: OptionalTensors): Map<number, Tensor> {
  const seeds = new Map<number, Tensor>();
  for (const [name, g] of Object.entries(grads)) {
    if (!g) continue;
    const t = Object.hasOwn(outputs, name) ? outputs[name] : undefined;
    if (!t)
      throw new ArgumentError(
        `vjp: gradients must be of ${Object.keys(outputs).join(', ')}, got one of ${show(name)}`,
      );
    if (!sameShape(g.shape, t.shape))
      throw new ShapeError(
        `vjp: gradient of ${name} must have shape ${show([...t.shape])}, got ${show([...g.shape])}`,
      );
    if (g.dtype !== t.dtype)
      throw new DtypeError(`vjp: gradient of ${name} must be ${t.dtype}, got ${g.dtype}; cast it`);
    const before = seeds.get(t.id);
    seeds.set(t.id, before ? noGrad(() => addTensors(before, g)) : g.view());
    before?.dispose();
  }
  return seeds;
}

/** As valueAndGrad, gradients only. */
export function grad<P extends Tree, A extends unknown[]>(
  fn: (params: P, ...rest: A) => Tensor,
): (params: P, ...rest: A) => P {
  const both = valueAndGrad(fn);
  return (params, ...rest) => {
    const { value, grads } = both(params, ...rest);
    value.dispose();
    return grads;
  };
}

function onesLike(t: Tensor): Tensor {
  return full(t.shape, 1, { dtype: t.dtype, device: t.device });
}

function zerosLike(t: Tensor): Tensor {
  return full(t.shape, 0, { dtype: t.dtype, device: t.device });
}

let addTensors: (a: Tensor, b: Tensor) => Tensor = () => {
  throw new ArgumentError(
    'tape: the operators must be loaded, got none; import the library through its index',
  );
};

/** The operators register their addition here; the tape lies below them. */
export function setAccumulate(add: (a: Tensor, b: Tensor) => Tensor): void {
  addTensors = add;
}

/** Walks the tape backwards. Gradients of interior tensors are disposed as soon as they are used. */
function runBackward(tape: Tape, grads: Map<number, Tensor>, leaves: Set<number>): Map<number, Tensor> {
  return push(null, () => {
    for (let i = tape.nodes.length - 1; i >= 0; i--) {
      const node = tape.nodes[i];
      const outputGrads: OptionalTensors = {};
      for (const [name, t] of Object.entries(node.outputs)) outputGrads[name] = grads.get(t.id);
      if (Object.values(outputGrads).every((g) => g === undefined)) {
        for (const t of Object.values(node.saved)) t.dispose();
        continue;
      }
      const needs = (name: string) =>
        node.inputs[name] !== undefined && tape.tracked.has(node.inputs[name].id);
      const inputGrads = node.backward(outputGrads, needs);
      distribute(node, inputGrads, outputGrads, needs, grads);
      for (const t of Object.values(node.outputs)) {
        if (leaves.has(t.id)) continue;
        grads.get(t.id)?.dispose();
        grads.delete(t.id);
      }
      for (const t of Object.values(node.saved)) t.dispose();
    }
    return grads;
  });
}

function distribute(
  node: Node,
  made: OptionalTensors,
  given: OptionalTensors,
  needs: (name: string) => boolean,
  grads: Map<number, Tensor>,
): void {
  // A gradient handed through unchanged stays with its owner, be that the giver, the call or a parameter.
  const borrowed = new Set<Tensor | undefined>(
    [given, node.inputs, node.outputs, node.saved].flatMap((tensors) => Object.values(tensors)),
  );
  const owned = new Set<Tensor>();
  for (const [name, input] of Object.entries(node.inputs)) {
    if (!input || !needs(name)) continue;
    let g = made[name];
    if (!g) throw new ArgumentError(`${node.name}: backward must return a gradient for ${name}, got none`);
    if (!sameShape(g.shape, input.shape))
      throw new ArgumentError(
        `${node.name}: gradient of ${name} must have shape ${show([...input.shape])}, got ${show([...g.shape])}`,
      );
    // The same tensor may serve two inputs.
    if (owned.has(g) || borrowed.has(g)) g = g.view();
    owned.add(g);
    const before = grads.get(input.id);
    if (!before) {
      grads.set(input.id, g);
      continue;
    }
    grads.set(input.id, addTensors(before, g));
    before.dispose();
    g.dispose();
  }
  for (const [name, g] of Object.entries(made))
    if (g && !needs(name) && !owned.has(g) && !borrowed.has(g)) g.dispose();
}

/** Context handed to a custom operator's two functions; `save` keeps tensors for the backward pass. */
export interface CustomContext {
  saved: Tensors;
  save(name: string, t: Tensor): void;
}

/**
 * An operator of the user's own: `forward(inputs, ctx)` gives the output, `backward(dy, inputs, y, ctx)` the gradients,
 * one per input (undefined where none flows).
 */
export function customOp(definition: {
  name: string;
  forward(inputs: Tensor[], ctx: CustomContext): Tensor;
  backward(dy: Tensor, inputs: Tensor[], y: Tensor, ctx: CustomContext): (Tensor | undefined)[];
}): (...inputs: Tensor[]) => Tensor {
  return (...inputs) => {
    const saved: Tensors = {};
    const ctx: CustomContext = { saved, save: (name, t) => void (saved[name] = t.view()) };
    const made = noGrad(() => definition.forward(inputs, ctx));
    // Gradients go by tensor: an input handed through would meet its own gradient again.
    const y = inputs.includes(made) ? made.view() : made;
    const tape = activeTape();
    if (!tape || !inputs.some((t) => tape.tracked.has(t.id))) {
      for (const t of Object.values(saved)) t.dispose();
      return y;
    }
    const named = Object.fromEntries(inputs.map((t, i) => [String(i), t]));
    recordNode({
      name: definition.name,
      inputs: named,
      outputs: { y },
      saved,
      backward: (grads) =>
        Object.fromEntries(definition.backward(grads['y']!, inputs, y, ctx).map((g, i) => [String(i), g])),
    });
    return y;
  };
}

/**
 * Runs `fn(...args)` without keeping its intermediates; the backward pass runs it again (activation checkpointing).
 * Every differentiable tensor must come in through the arguments.
 * @throws ArgumentError when fn uses a recorded tensor that is not an argument: its gradient would be lost
 */
export function checkpoint<A extends Tree[]>(fn: (...args: A) => Tensor): (...args: A) => Tensor {
  return (...args) => {
    const outer = activeTape();
    // Each tensor once, however often it is passed: its gradient below is already the whole one.
    const leaves = [...new Set(treeTensors(args))];
    if (!outer || !leaves.some((t) => outer.tracked.has(t.id))) return fn(...args);
    const first = new Tape(outer);
    for (const t of leaves) first.tracked.add(t.id);
    const made = push(first, () => fn(...args));
    const y = leaves.includes(made) ? made.view() : made;
    releaseInterior(first, y);
    recordNode({
      name: 'checkpoint',
      inputs: Object.fromEntries(leaves.map((t, i) => [String(i), t])),
      outputs: { y },
      saved: {},
      backward: (grads) => {
        const again = new Tape();
        for (const t of leaves) again.tracked.add(t.id);
        const value = push(again, () => fn(...args));
        const found = runBackward(
          again,
          new Map([[value.id, grads['y']!.view()]]),
          new Set(leaves.map((t) => t.id)),
        );
        const result = Object.fromEntries(leaves.map((t, i) => [String(i), found.get(t.id) ?? zerosLike(t)]));
        releaseInterior(again, undefined);
        return result;
      },
    });
    return y;
  };
}

function releaseInterior(tape: Tape, except: Tensor | undefined): void {
  for (const node of tape.nodes) {
    for (const t of Object.values(node.outputs)) if (t !== except) t.dispose();
    for (const t of Object.values(node.saved)) t.dispose();
  }
}
