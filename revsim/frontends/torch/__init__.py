"""PyTorch modules: float, quantised by torch.ao, and Brevitas."""
