/** Errors of the tensor class that carry shapes. */
import { ShapeError } from "../core/index.js";
import { formatNamed, type Named, sizeOf } from "./axes.js";

/** Returns the error for data that does not fill a shape. */
export function dataLengthError(length: number, named: Named): ShapeError {
  return new ShapeError({
    where: "Tensor.of",
    got: `${length} elements for ${formatNamed(named)}`,
    expected: `${sizeOf(named.shape)} elements, the product of the sizes`,
    fix: "Check the shape, or cut the data with subarray().",
  });
}
