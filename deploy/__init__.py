"""Models taken elsewhere: made smaller, exported to ONNX and to `torch.export`, and run without PyTorch."""
