"""Services of ComfyUI: folders, model management, progress and cancel. Only `comfy_nodes` and `nodes` import it."""
