"""ONNX models: quantised operators, QDQ pairs, QONNX, operators on whole numbers."""
