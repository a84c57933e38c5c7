"""DICOM in: any CT, MR or PET series, classic or multi-frame, file or folder, as volumes built frame by frame.

`headers` finds and reads the files, `frames` turns each into frames with a place and a rescale of their own, `volumes`
tells the volumes of a series apart, `stack` fits a grid to a volume's positions, `pixels` decodes it.
"""
