"""The anatomy that a radiology report mentions, with what the report says about it."""

from SATSegmentLib import anatomy

REPORT = """\
CT ABDOMEN: The liver is enlarged. Simple cyst in the lower pole of the left kidney.
No hydronephrosis on the right. Spleen and pancreas are unremarkable. Status post cholecystectomy.
"""

for mention in anatomy.read_report(REPORT, "ct"):
    print(f"{mention.text}: {', '.join(mention.labels)} ({mention.certainty})")
