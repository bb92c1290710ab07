/** Gradients summed in f64 by loops over tokens, as the references and the TypeScript forms of many operators make them. */
import { allocate, type Call, type OptionalTensors } from './operator.js';

/** Float64 sums by the name of an input. */
export type GradientSums = Record<string, Float64Array>;

/** Zeros for the gradient of every float input. */
export function gradientSums(call: Call): GradientSums {
  const sums: GradientSums = {};
  for (const [name, t] of Object.entries(call.in))
    if (t && t.dtype !== 'i32') sums[name] = new Float64Array(t.size);
  return sums;
}

/** The sums as tensors of their inputs' shapes. Host tensors only. */
export function gradientTensors(call: Call, sums: GradientSums): OptionalTensors {
  const made: OptionalTensors = {};
  for (const [name, values] of Object.entries(sums)) {
    made[name] = allocate(call, call.in[name]!.shape);
    (made[name].floats(call.op.id) as Float64Array).set(values);
  }
  return made;
}
