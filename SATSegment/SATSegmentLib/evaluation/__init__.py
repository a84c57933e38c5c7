"""How good is it: DSC, NSD, HD95 and volumes against a reference, merged as SAT merges, and two methods compared.

    from SATSegmentLib.evaluation.run import Settings, evaluate
    result = evaluate("references", "predictions", Settings("ct"))
    result.merged.overall.means["dsc"]

Docs/evaluation.md says what each number is and where it comes from.
"""
