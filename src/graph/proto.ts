/** The only door to the ONNX protobuf definitions. */
export { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
export {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  type AttributeProtoSchema,
  type GraphProto,
  type GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type NodeProtoSchema,
  type TensorProto,
  TensorProto_DataLocation as DataLocation,
  type TensorProtoSchema,
  type ValueInfoProto,
  type ValueInfoProtoSchema,
} from "onnx-buf";
