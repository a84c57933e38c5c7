"""What words become: a prompt, several prompts, a question, or a refusal with the nearest that can be done."""

from SATSegmentLib import anatomy

for words in ("lt kidney", "IVC", "L4/5 disc", "both lungs", "kidney tumour or cyst", "left hippocampus", "appendix"):
    match anatomy.resolve(words, "ct"):
        case anatomy.Resolved(prompt=prompt):
            print(f"{words!r} is {prompt.text!r}")
        case anatomy.Composite(prompts=prompts):
            print(f"{words!r} is {len(prompts)} structures: {', '.join(prompt.text for prompt in prompts)}")
        case anatomy.DidYouMean(candidates=candidates):
            print(f"{words!r} is a question: {', '.join(candidate.name for candidate in candidates)}?")
        case anatomy.NotSegmentable(reason=reason, nearest=nearest):
            print(f"{words!r} cannot be segmented: {reason}; nearest: {', '.join(prompt.text for prompt in nearest)}")
        case _:
            print(f"{words!r} is not known")
