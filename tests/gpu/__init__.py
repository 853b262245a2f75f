"""The sampler and the daemon on a real NVIDIA GPU, against CUDA processes of known allocations."""
