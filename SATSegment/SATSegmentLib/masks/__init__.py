"""Masks in: what other tools, people and this one wrote about a scan, by name, each mask on the scan's grid."""
