/** The only door to the ONNX protobuf definitions. */
export { fromBinary } from "@bufbuild/protobuf";
export { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
export {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataLocation as DataLocation,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema as DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema as TensorTypeSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "onnx-buf";
