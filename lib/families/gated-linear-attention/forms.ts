/** The family over the shared operators with diagonal and scalar decay. */
import { silu } from '../../ops/map/index.js';
import { diagonalDecay } from '../../ops/diagonal-decay/index.js';
import { scalarDecay } from '../../ops/scalar-decay/index.js';
import { oneToken } from '../../ops/sequence/index.js';
import { cast } from '../../ops/structure/index.js';
import type { BackendName, Form } from '../../tensor/backend.js';
import { composed } from '../../tensor/composed.js';
import type { Implementation, OptionalTensors } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { forgetGate } from './gates.js';
import { scaleOf } from './reference.js';

type Given = Record<'q' | 'k' | 'v' | 'gk' | 'g' | 'f' | 'i', Tensor> & {
  initialState?: Tensor;
  lowerBound?: Tensor;
  cuSeqlens?: Tensor;
};

const given = (inputs: OptionalTensors) => inputs as unknown as Given;

const gated = (form: Form) =>
  composed((inputs, call) => {
    const { gk, ...rest } = given(inputs);
    return diagonalDecay({ ...rest, decay: gk }, { scale: scaleOf(call), form });
  });

const simple = (form: Form) =>
  composed((inputs, call) => {
    const { g, ...rest } = given(inputs);
    return scalarDecay({ ...rest, decay: g }, { scale: scaleOf(call), form });
  });

/** Gates are made in f32, as decays are; keys go back to the type of the queries. */
const hgrn2 = (form: Form) =>
  composed((inputs, call) => {
    const { q, f, i, lowerBound, initialState, cuSeqlens } = given(inputs);
    const wide = f.dtype === 'f16' ? cast(f, 'f32') : f;
    const { logarithm, rest } = forgetGate(wide, lowerBound);
    const k = f.dtype === 'f16' ? cast(rest, 'f16') : rest;
    return diagonalDecay(
      { q: silu(q), k, v: i, decay: logarithm, initialState, cuSeqlens },
      { scale: call.params.scale as number, form },
    );
  });

type Everywhere = Record<BackendName, Implementation>;

function everywhere(made: Implementation): Everywhere {
  return { cpu: made, wasm: made, webgpu: made };
}

const formsOf = (of: (form: Form) => Implementation) => ({
  chunk: everywhere(of('chunk')),
  recurrent: everywhere(of('recurrent')),
  step: everywhere(oneToken(of('step'), 'q')),
});

export const gatedForms = formsOf(gated);
export const simpleForms = formsOf(simple);
export const hgrn2Forms = formsOf(hgrn2);
