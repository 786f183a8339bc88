"""Nodes by family; `nodes.py` lists them for ComfyUI. Ids, order and defaults are a contract."""
