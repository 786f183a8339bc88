"""Models taken elsewhere: exported to ONNX and to `torch.export`, and run without PyTorch."""
