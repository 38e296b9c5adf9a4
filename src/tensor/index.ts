/** Element types, named axes, and `Tensor` with its algebra. */
export type {
  Axes,
  BroadcastAxes,
  Drop,
  MatmulAxes,
  OnlyAxes,
  Reduced,
  Renamed,
  Selected,
  ShapeOf,
} from "./axis-types.js";
export type { CloseOptions } from "./compare.js";
export * from "./create.js";
export type { ComputeDType, DataOf, DType, DTypeOfData, FloatOf, NumericArray, Promote, TensorData } from "./dtype.js";
export { dtypes, isDTypeName } from "./dtype.js";
export { bfloat16ToFloat32, float16ToFloat32, toBfloat16, toFloat16 } from "./half.js";
export type { AxisSlice } from "./index-view.js";
export type { NestedInput, NestedNumbers } from "./nested.js";
export type { SortOptions, TopkOptions } from "./order.js";
export type { ReduceOptions, VarianceOptions } from "./reduce.js";
export type { AxisIndex, InsertAxisOptions } from "./tensor.js";
export { Tensor } from "./tensor.js";
export type { OperandAxes, OperandDType, QuotientDType, TensorOperand } from "./tensor-core.js";
export type { Topk } from "./tensor-reduce.js";
