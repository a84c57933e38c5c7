<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="en_US" sourcelanguage="en_US">
<context>
    <name>SATSegment</name>
    <message>
        <source> GB</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Close</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Close this message</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Copy the log</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Device</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Device:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Do again what was taken back. (Ctrl+Shift+Z)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Do what helps</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Export</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Export the table of results</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Folder of the weights</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Half precision needs half the memory of a GPU.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>How image features are kept</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>How much neighbouring windows share. Less is faster, and masks differ a little.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>How the modality was found</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Image features:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>In 8 bits they take half the memory; masks then differ a little.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Install</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Install what is missing</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Keep the table: as a table in the scene, or as a CSV file.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Language of the structures' names</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Load the model when the panel opens</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Log</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Memory for the scan's features in gigabytes</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Memory for the scan:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Modality of the scan</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Modality:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Model</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Model:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Names in:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>New segmentation</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Overlap of the windows</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Overlap:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Precision</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Precision:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Progress of the run</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Progress of the set-up</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Redo</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Research use only. Not a medical device.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Result:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Results</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>SAT Segment</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>SAT-Pro is the most exact, SAT-Nano needs less memory, the demo model comes with SATSegment and knows few structures.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Scan to segment</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Scan:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Segment</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Segmentation for the result</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Segments CT, MRI and PET by anatomy names, with SAT, a text-prompted network that knows 498 labels. Research use only; not a medical device.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Settings</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Show 3D</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Show the segmentation in 3D</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Structures are shown with their names in this language beside the trained ones. All languages are understood, whatever is chosen here.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Take back the last step. (Ctrl+Z)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The folder with the models' weights; several Slicer versions can share it.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The network looks at a large scan in overlapping windows. Adaptive: first as few as cover the scan, then those around what is found.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The network was published by: {citation}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The scan to segment: CT, MRI or PET.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The segmentation that receives the structures: a new one, or one that is there already. Structures in it that are not asked for are left as they are.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Undo</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Undo the last step</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Warning before the run</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Weights:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>What is going on</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>What is missing</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>What kind of scan this is. SAT knows different structures in each modality.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>What the network has seen of a scan is kept, so that more structures of the same scan come quickly. What does not fit goes to disk.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>What to look at before trusting the result</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>What went wrong, and what to do</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Where the network runs. The device is never changed without asking.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Which windows of the scan the network looks at</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Windows:</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>gui</name>
    <message>
        <source> · {count} not known to this model</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source> · {time} left</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>({number} of {count}) </source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>, but {chosen} is chosen. Masks would be wrong.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A file of certificates to trust (PEM), for a server with a certificate of the site's own.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A file that holds your token and nothing else. Left empty, SATSEGMENT_TOKEN of the environment is used.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A label of SAT; whether this model was trained on it is not known.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A run is already in progress. Wait for it, or cancel it.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A server (satsegment serve) has the GPU and the models; nothing is installed here.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A voxel belongs to the structure where its probability exceeds this. Lower makes it larger.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A word that was taught from examples.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A word {name} already exists. Where it was taught to this model, it is replaced.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Adaptive: faster for single organs</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Add it for another model</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Add {count} structures</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Address of the server</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Address:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>All</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>All structures</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Apple GPU</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>As Slicer</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>As a CSV file…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>As a DICOM segmentation (SEG)…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>As a DICOM structure set (RTSTRUCT)…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>As a table in the scene</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>As computed</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Asks the server for its version, models and devices. No scan is sent.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Bold: will be taken over. Struck out: said not to be there. Italic: of the past, or only possible.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Browse all structures</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>CPU</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Cancel the run</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Cancel the run.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Cancelled.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Cancelling…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Certificates:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Check the device</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Click: choose among them</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Click: left, right, both</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Close</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Continue the download</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>DICOM says {modality}, which SAT does not know; choose what comes closest</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Delete the model</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Dismiss (Esc)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Dismiss the question</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Do not teach</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Done again: {step}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Download</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Edit</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Edit this structure in Segment Editor.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Enter shows where it is, F2 renames the segment, Del removes it.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Esc twice does the same.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>File of certificates</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>File with the token</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Fits the word on what the model sees in this scan. A minute or two.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Folder with the weights</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Forget a set</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Free text: SAT was never trained on this name.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Free text: SAT was not trained on this. Check the result carefully.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>From a report…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>GPU (CUDA)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Go to the module SAT Segment.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Hide</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>History</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>I have read this</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Import from a folder…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>In 8 bits</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Install</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Installing {what}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Intensity {mean} ± {sd} {unit}, median {median} ({p05} to {p95}). Surface {surface} cm², largest piece {share} %.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>It is left out of runs with this model.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Left out, because not found: {names}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Load a scan, and name the structures you want.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Mean of the network's probability over the structure's voxels. This is not a measure of accuracy.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Mean p</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Model {model} is not installed. Choose another one in Settings.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>My sets</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Name</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Name of the new word</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Name of the set</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Name of the set with these {count} structures:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Not installed: {packages}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Nothing to redo.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Nothing to undo.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Nothing to undo: what was done before the scene was saved cannot be taken back.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Paste a list</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Paste the report here. It stays in this window: it is not saved and not sent.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Presets</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Presets, history, paste, from report</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Progress of the run</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>PyTorch is not installed · {size}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Python cannot be started: {subject}. Check the installation.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Redo</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Redo {step}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Remove</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Remove all structures</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Remove this structure. (Del)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Remove {name}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Removes the chosen model's weights from this computer.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Report</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Report with its findings marked</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Result</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Results</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Results as DICOM</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Run on:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Runs a small computation on the chosen device and says which it is.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>SAT Segment</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>SAT Segment: {text}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>SAT was not trained on “{text}”, and {model} takes no free text. Is it spelled right?</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>SAT was not trained on “{text}”. Is it spelled right?</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Save these structures as a set…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Search</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Search in the tree</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Seconds spent on this structure alone.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Segment</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Segment 1 structure</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Segment on the CPU</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Segment to teach from</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Segment {count} structures</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Server</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Set for this site by SATSEGMENT_MODELS.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Settings   model {model} · cache {cache:.0f} GB</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Show</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Show or hide this structure.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Something went wrong: {error}. The log says more.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Structure</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Structure to segment</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Structures</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Structures from a report</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Structures to segment</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Structures to take over</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Suggestions</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Suggestions appear while you type. Enter adds, Ctrl+Enter segments.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Take the released files, or a model that another machine has converted, from a folder. No network.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Teach</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Teach a new word: draw the structure as a segment, then give it a name of your own.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Teach a word from a segment…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Teach this word</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Teach: make this segment, as you edited it, a word that can be asked for.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Test connection</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The Python package {subject} is not installed. Install it, then run again.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The computer ran out of memory. Nothing was lost. Close other programs, choose a smaller model or fewer structures, and run it again.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The model</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The result is marked as untrained; check it carefully.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The segmentation process crashed ({subject}). Nothing was lost. Run it again; if it happens again, report it with the log.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The segmentation process ended unexpectedly (exit code {subject}). Nothing was lost. Run it again; if it happens again, report it with the log.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The segmentation process starts, and loads the model, while you choose scan and structures. It takes the model's memory until it has been idle for a while.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The segmentation process was ended from outside, by a person or by the system. Nothing was lost. Run it again. If it happens again, close other programs: the computer may be short of memory.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The server cannot be reached, or the connection was lost. Nothing was lost here. Check the network and whether the server runs; then run it again.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The server does not know your token. Check the token file in Settings.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The server has no address yet. Write it in Settings.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The server has no model {model}. Choose another one in Settings.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The threshold can be changed once a model is installed.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The threshold can be changed with the model that found this: choose {model} in Settings.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The threshold can no longer be changed: the scan of this result is not in the scene.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The voxels of your scans, their place, and the structures you ask for are sent to {url}. Names of patients, files and DICOM tags are not sent. The server keeps scans in memory while you use them. Send scans there?</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>There is no segment to teach from. Draw the structure in the result's segmentation first.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>This computer</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Threshold of the probability</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Threshold {value:.2f}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Threshold:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Token file:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Training</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Try it as free text</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Trying…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Type a structure, such as left kidney</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Undo</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Undo removal</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Undo renaming</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Undo segmentation</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Undo threshold</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Undo {step}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Undone: {step}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Volume in millilitres.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>What the structure is called in the language chosen in Settings.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Where runs go</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Whether the structure was found, whether the scan's edge cuts it, and what speaks against it.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Working. SATSegment {version}, models: {models}; devices: {devices}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Writing the DICOM file…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Written: 1 structure.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Written: {count} structures.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>back</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>cut by the scan's edges: {edges}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>cut by the scan's {edges} edge</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>finding</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>found</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>free text</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>from DICOM</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>front</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>guessed: no air at -1000, so not CT; choose PET if it is</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>guessed: values down to {low:.0f}, as Hounsfield units have</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>intensity</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>left</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>lower</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>mL</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>named as “{text}”</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>not found</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>not in this model</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>not in this scan</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>not kept</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>not known to this model</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>not trained in this modality</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>of the past</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>only possible</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>outside its organ</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>overlap</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>pieces far apart</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>removal of {structure}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>removed</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>renaming to {name}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>right</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>s</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>said not to be there</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>same mask</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>segmentation of {structures}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>starting</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>such as my implant</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>threshold of {structure}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>trained in this modality</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>upper</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>volume</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>without “{words}”</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>wrong place</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>wrong side</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{count} scans</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{count} structures</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{device} ran out of memory. Nothing was lost. Close other programs, choose a smaller model, or segment on the CPU.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{device}: {name}{size}, PyTorch {torch}. Working.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{found} of {asked} found · {time} · {device}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{known} of {count} in this model</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{modality} only</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{modality} taught</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{model} (not installed)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{model} (not on the server)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{model} is removed from this computer. To use it again, it must be downloaded or imported again.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{model} was not trained on {name}. Choose another model in Settings to segment it.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{model} was not trained on {structures}. Choose another model in Settings, or they are left out.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{model} was not trained on {structure}. Choose another model in Settings and segment again, or remove the structure.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{names}: changed since then. These changes would be lost.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{name} is already in the list.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{name} results</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{name}, {count} structures</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{name}, {why}, will be left out</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{number} of {total} windows of the scan were looked at.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{percent} %</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{percent} % · </source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{percent} %, as SAT itself</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{refusal} What comes closest:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{side} side in the report</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{size} already downloaded.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{structures}: SAT knows it in {other} only, and {chosen} is chosen.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{structure} with threshold {threshold}: {now}, was {before} · {time}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{structure}: {status}. Highest probability {highest}. {model}, {device}, {precision}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{volume} is {found} by its DICOM tags</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{volume} looks like {found}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{volume} mL</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>“{name}” can be asked for now: {quality} · {time}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>“{text}” cannot be segmented: {reason}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>“{text}” may be {names}: {model} was not trained on these. Choose another model in Settings.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>“{text}”: did you mean</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>⚠ check: {reasons}</source>
        <translation type="unfinished"></translation>
    </message>
</context>
</TS>
