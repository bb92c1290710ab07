/** Small products of rows of f64, adding to `to` where it is given. */
export type Matrix = Float64Array[];

const zeros = (n: number, width: number): Matrix => Array.from({ length: n }, () => new Float64Array(width));

function addRow(to: Float64Array, factor: number, row: Float64Array): void {
  for (let l = 0; l < to.length; l++) to[l] += factor * row[l];
}

/** X Y */
export function mul(x: Matrix, y: Matrix, to: Matrix = zeros(x.length, y[0]?.length ?? 0)): Matrix {
  x.forEach((row, i) => row.forEach((factor, j) => addRow(to[i], factor, y[j])));
  return to;
}

/** X^T Y */
export function mulTransposed(x: Matrix, y: Matrix, to: Matrix): Matrix {
  x.forEach((row, i) => row.forEach((factor, j) => addRow(to[j], factor, y[i])));
  return to;
}

/** X Y^T */
export function mulTransposedB(x: Matrix, y: Matrix): Matrix {
  return x.map((row) =>
    Float64Array.from(y, (other) => {
      let sum = 0;
      for (let l = 0; l < row.length; l++) sum += row[l] * other[l];
      return sum;
    }),
  );
}
