"""ComfyUI's side: folders, model management, progress and cancel. Only this and `nodes` import ComfyUI."""
