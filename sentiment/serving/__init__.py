"""The exported model: its ONNX graph, 8-bit weights, and predictions without torch."""
