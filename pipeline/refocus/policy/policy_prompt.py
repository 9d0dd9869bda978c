"""The policy's prompt (B.6.2): what stands before the frames and what stands after them."""

from refocus.lmm.prompts import Prompt, option_lines

SYSTEM = {
    "paper": "<|system|>You are a helpful AI assistant.<|endoftext|>\n<|user|>\n",
    "released": "<|system|>You are a helpful AI assistant.<|endoftext|><|user|>",
}
END = {"paper": "\n<|endoftext|>", "released": "<|endoftext|>"}


def before_frames(variant: str) -> str:
    """The system text, the same for all clips."""
    return SYSTEM[variant]


def after_frames(variant: str, prompt: Prompt) -> str:
    """The question's text, which follows the last frame; `<start_of_frame>` comes right after it."""
    return "\n" + "\n".join([prompt.question, *option_lines(prompt.options)]) + END[variant]
