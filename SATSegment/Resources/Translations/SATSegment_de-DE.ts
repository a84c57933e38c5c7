<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de_DE" sourcelanguage="en_US">
<context>
<name>SATSegment</name>
<message>
<source> GB</source>
<translation> GB</translation>
</message>
<message>
<source>Close</source>
<translation>Schließen</translation>
</message>
<message>
<source>Close this message</source>
<translation>Diese Meldung schließen</translation>
</message>
<message>
<source>Copy the log</source>
<translation>Protokoll kopieren</translation>
</message>
<message>
<source>Device</source>
<translation>Gerät</translation>
</message>
<message>
<source>Device:</source>
<translation>Gerät:</translation>
</message>
<message>
<source>Do again what was taken back. (Ctrl+Shift+Z)</source>
<translation>Zurückgenommenes wiederholen. (Strg+Umschalt+Z)</translation>
</message>
<message>
<source>Do what helps</source>
<translation>Beheben</translation>
</message>
<message>
<source>Export</source>
<translation>Exportieren</translation>
</message>
<message>
<source>Export the table of results</source>
<translation>Ergebnistabelle exportieren</translation>
</message>
<message>
<source>Folder of the weights</source>
<translation>Ordner der Gewichte</translation>
</message>
<message>
<source>Half precision needs half the memory of a GPU.</source>
<translation>Halbe Genauigkeit braucht halb so viel Speicher der Grafikkarte.</translation>
</message>
<message>
<source>How image features are kept</source>
<translation>Wie Bildmerkmale gespeichert werden</translation>
</message>
<message>
<source>How much neighbouring windows share. Less is faster, and masks differ a little.</source>
<translation>Wie viel sich benachbarte Fenster teilen. Weniger ist schneller, und die Masken weichen etwas ab.</translation>
</message>
<message>
<source>How the modality was found</source>
<translation>Wie die Modalität bestimmt wurde</translation>
</message>
<message>
<source>Image features:</source>
<translation>Bildmerkmale:</translation>
</message>
<message>
<source>In 8 bits they take half the memory; masks then differ a little.</source>
<translation>Mit 8 Bit brauchen sie halb so viel Speicher; die Masken weichen dann etwas ab.</translation>
</message>
<message>
<source>Install</source>
<translation>Installieren</translation>
</message>
<message>
<source>Install what is missing</source>
<translation>Fehlendes installieren</translation>
</message>
<message>
<source>Keep the table: as a table in the scene, or as a CSV file.</source>
<translation>Tabelle behalten: als Tabelle in der Szene oder als CSV-Datei.</translation>
</message>
<message>
<source>Language of the structures' names</source>
<translation>Sprache der Namen von Strukturen</translation>
</message>
<message>
<source>Load the model when the panel opens</source>
<translation>Modell beim Öffnen des Panels laden</translation>
</message>
<message>
<source>Log</source>
<translation>Protokoll</translation>
</message>
<message>
<source>Memory for the scan's features in gigabytes</source>
<translation>Speicher für die Bildmerkmale in Gigabyte</translation>
</message>
<message>
<source>Memory for the scan:</source>
<translation>Speicher für das Bild:</translation>
</message>
<message>
<source>Modality of the scan</source>
<translation>Modalität des Bildes</translation>
</message>
<message>
<source>Modality:</source>
<translation>Modalität:</translation>
</message>
<message>
<source>Model</source>
<translation>Modell</translation>
</message>
<message>
<source>Model:</source>
<translation>Modell:</translation>
</message>
<message>
<source>Names in:</source>
<translation>Namen auf:</translation>
</message>
<message>
<source>New segmentation</source>
<translation>Neue Segmentierung</translation>
</message>
<message>
<source>Overlap of the windows</source>
<translation>Überlappung der Fenster</translation>
</message>
<message>
<source>Overlap:</source>
<translation>Überlappung:</translation>
</message>
<message>
<source>Precision</source>
<translation>Rechengenauigkeit</translation>
</message>
<message>
<source>Precision:</source>
<translation>Rechengenauigkeit:</translation>
</message>
<message>
<source>Progress of the run</source>
<translation>Fortschritt der Segmentierung</translation>
</message>
<message>
<source>Progress of the set-up</source>
<translation>Fortschritt der Einrichtung</translation>
</message>
<message>
<source>Redo</source>
<translation>Wiederholen</translation>
</message>
<message>
<source>Research use only. Not a medical device.</source>
<translation>Nur für die Forschung. Kein Medizinprodukt.</translation>
</message>
<message>
<source>Result:</source>
<translation>Ergebnis:</translation>
</message>
<message>
<source>Results</source>
<translation>Ergebnisse</translation>
</message>
<message>
<source>SAT Segment</source>
<translation>SAT Segment</translation>
</message>
<message>
<source>SAT-Pro is the most exact, SAT-Nano needs less memory, the demo model comes with SATSegment and knows few structures.</source>
<translation>SAT-Pro ist am genauesten, SAT-Nano braucht weniger Speicher; das Demomodell liegt SATSegment bei und kennt wenige Strukturen.</translation>
</message>
<message>
<source>Scan to segment</source>
<translation>Zu segmentierendes Bild</translation>
</message>
<message>
<source>Scan:</source>
<translation>Bild:</translation>
</message>
<message>
<source>Segment</source>
<translation>Segmentieren</translation>
</message>
<message>
<source>Segmentation for the result</source>
<translation>Segmentierung für das Ergebnis</translation>
</message>
<message>
<source>Segments CT, MRI and PET by anatomy names, with SAT, a text-prompted network that knows 498 labels. Research use only; not a medical device.</source>
<translation>Segmentiert CT, MRT und PET nach anatomischen Namen mit SAT, einem textgesteuerten Netz mit 498 Labels. Nur für die Forschung; kein Medizinprodukt.</translation>
</message>
<message>
<source>Settings</source>
<translation>Einstellungen</translation>
</message>
<message>
<source>Show 3D</source>
<translation>3D zeigen</translation>
</message>
<message>
<source>Show the segmentation in 3D</source>
<translation>Segmentierung in 3D zeigen</translation>
</message>
<message>
<source>Structures are shown with their names in this language beside the trained ones. All languages are understood, whatever is chosen here.</source>
<translation>Strukturen werden neben dem trainierten Namen auch mit ihrem Namen in dieser Sprache gezeigt. Verstanden werden alle Sprachen, was auch immer hier gewählt ist.</translation>
</message>
<message>
<source>Take back the last step. (Ctrl+Z)</source>
<translation>Letzten Schritt zurücknehmen. (Strg+Z)</translation>
</message>
<message>
<source>The folder with the models' weights; several Slicer versions can share it.</source>
<translation>Ordner mit den Gewichten der Modelle; mehrere Slicer-Versionen können ihn gemeinsam nutzen.</translation>
</message>
<message>
<source>The network looks at a large scan in overlapping windows. Adaptive: first as few as cover the scan, then those around what is found.</source>
<translation>Das Netz betrachtet eine große Aufnahme in überlappenden Fenstern. Adaptiv: zuerst so wenige, wie sie abdecken, dann die um das Gefundene herum.</translation>
</message>
<message>
<source>The network was published by: {citation}</source>
<translation>Das Netz wurde veröffentlicht von: {citation}</translation>
</message>
<message>
<source>The scan to segment: CT, MRI or PET.</source>
<translation>Das zu segmentierende Bild: CT, MRT oder PET.</translation>
</message>
<message>
<source>The segmentation that receives the structures: a new one, or one that is there already. Structures in it that are not asked for are left as they are.</source>
<translation>Die Segmentierung, die die Strukturen aufnimmt: eine neue oder eine vorhandene. Nicht angeforderte Strukturen darin bleiben, wie sie sind.</translation>
</message>
<message>
<source>Undo</source>
<translation>Zurücknehmen</translation>
</message>
<message>
<source>Undo the last step</source>
<translation>Letzten Schritt zurücknehmen</translation>
</message>
<message>
<source>Warning before the run</source>
<translation>Warnung vor der Segmentierung</translation>
</message>
<message>
<source>Weights:</source>
<translation>Gewichte:</translation>
</message>
<message>
<source>What is going on</source>
<translation>Was gerade geschieht</translation>
</message>
<message>
<source>What is missing</source>
<translation>Was fehlt</translation>
</message>
<message>
<source>What kind of scan this is. SAT knows different structures in each modality.</source>
<translation>Um welche Art Bild es sich handelt. SAT kennt in jeder Modalität andere Strukturen.</translation>
</message>
<message>
<source>What the network has seen of a scan is kept, so that more structures of the same scan come quickly. What does not fit goes to disk.</source>
<translation>Was das Netz von einem Bild gesehen hat, wird behalten, damit weitere Strukturen desselben Bildes schnell kommen. Was nicht hineinpasst, wird auf die Festplatte geschrieben.</translation>
</message>
<message>
<source>What to look at before trusting the result</source>
<translation>Worauf zu achten ist, bevor man dem Ergebnis vertraut</translation>
</message>
<message>
<source>What went wrong, and what to do</source>
<translation>Was schiefging und was zu tun ist</translation>
</message>
<message>
<source>Where the network runs. The device is never changed without asking.</source>
<translation>Wo das Netz läuft. Das Gerät wird nie ohne Rückfrage gewechselt.</translation>
</message>
<message>
<source>Which windows of the scan the network looks at</source>
<translation>Welche Fenster der Aufnahme das Netz betrachtet</translation>
</message>
<message>
<source>Windows:</source>
<translation>Fenster:</translation>
</message>
</context>
<context>
<name>gui</name>
<message>
<source> · {count} not known to this model</source>
<translation> · {count} diesem Modell unbekannt</translation>
</message>
<message>
<source> · {time} left</source>
<translation> · noch {time}</translation>
</message>
<message>
<source>({number} of {count}) </source>
<translation>({number} von {count}) </translation>
</message>
<message>
<source>, but {chosen} is chosen. Masks would be wrong.</source>
<translation>, aber {chosen} ist gewählt. Die Masken wären falsch.</translation>
</message>
<message>
<source>A file of certificates to trust (PEM), for a server with a certificate of the site's own.</source>
<translation>Eine Datei mit vertrauenswürdigen Zertifikaten (PEM), für einen Server mit einem eigenen Zertifikat des Hauses.</translation>
</message>
<message>
<source>A file that holds your token and nothing else. Left empty, SATSEGMENT_TOKEN of the environment is used.</source>
<translation>Eine Datei, die Ihr Token enthält und sonst nichts. Bleibt das Feld leer, gilt SATSEGMENT_TOKEN aus der Umgebung.</translation>
</message>
<message>
<source>A label of SAT; whether this model was trained on it is not known.</source>
<translation>Ein Label von SAT; ob dieses Modell darauf trainiert wurde, ist nicht bekannt.</translation>
</message>
<message>
<source>A run is already in progress. Wait for it, or cancel it.</source>
<translation>Es läuft bereits eine Segmentierung. Abwarten oder abbrechen.</translation>
</message>
<message>
<source>A server (satsegment serve) has the GPU and the models; nothing is installed here.</source>
<translation>Ein Server (satsegment serve) hat die GPU und die Modelle; hier wird nichts installiert.</translation>
</message>
<message>
<source>A voxel belongs to the structure where its probability exceeds this. Lower makes it larger.</source>
<translation>Ein Voxel gehört zur Struktur, wenn seine Wahrscheinlichkeit diesen Wert übersteigt. Ein kleinerer Wert macht sie größer.</translation>
</message>
<message>
<source>A word that was taught from examples.</source>
<translation>Ein Wort, das an Beispielen angelernt wurde.</translation>
</message>
<message>
<source>A word {name} already exists. Where it was taught to this model, it is replaced.</source>
<translation>Das Wort {name} gibt es schon. Wurde es für dieses Modell angelernt, wird es ersetzt.</translation>
</message>
<message>
<source>Adaptive: faster for single organs</source>
<translation>Adaptiv: schneller für einzelne Organe</translation>
</message>
<message>
<source>Add it for another model</source>
<translation>Für ein anderes Modell hinzufügen</translation>
</message>
<message>
<source>Add {count} structures</source>
<translation>{count} Strukturen hinzufügen</translation>
</message>
<message>
<source>Address of the server</source>
<translation>Adresse des Servers</translation>
</message>
<message>
<source>Address:</source>
<translation>Adresse:</translation>
</message>
<message>
<source>All</source>
<translation>Alle</translation>
</message>
<message>
<source>All structures</source>
<translation>Alle Strukturen</translation>
</message>
<message>
<source>Apple GPU</source>
<translation>Apple-GPU</translation>
</message>
<message>
<source>As Slicer</source>
<translation>Wie Slicer</translation>
</message>
<message>
<source>As a CSV file…</source>
<translation>Als CSV-Datei…</translation>
</message>
<message>
<source>As a DICOM segmentation (SEG)…</source>
<translation>Als DICOM-Segmentierung (SEG)…</translation>
</message>
<message>
<source>As a DICOM structure set (RTSTRUCT)…</source>
<translation>Als DICOM-Strukturset (RTSTRUCT)…</translation>
</message>
<message>
<source>As a table in the scene</source>
<translation>Als Tabelle in der Szene</translation>
</message>
<message>
<source>As computed</source>
<translation>Wie berechnet</translation>
</message>
<message>
<source>Asks the server for its version, models and devices. No scan is sent.</source>
<translation>Fragt den Server nach Version, Modellen und Geräten. Es wird keine Aufnahme gesendet.</translation>
</message>
<message>
<source>Automatic</source>
<translation>Automatisch</translation>
</message>
<message>
<source>Bold: will be taken over. Struck out: said not to be there. Italic: of the past, or only possible.</source>
<translation>Fett: wird übernommen. Durchgestrichen: laut Befund nicht vorhanden. Kursiv: früher oder nur möglich.</translation>
</message>
<message>
<source>Browse all structures</source>
<translation>Alle Strukturen durchsuchen</translation>
</message>
<message>
<source>CPU</source>
<translation>CPU</translation>
</message>
<message>
<source>Cancel</source>
<translation>Abbrechen</translation>
</message>
<message>
<source>Cancel the run</source>
<translation>Segmentierung abbrechen</translation>
</message>
<message>
<source>Cancel the run.</source>
<translation>Die Segmentierung abbrechen.</translation>
</message>
<message>
<source>Cancelled.</source>
<translation>Abgebrochen.</translation>
</message>
<message>
<source>Cancelling…</source>
<translation>Wird abgebrochen…</translation>
</message>
<message>
<source>Certificates:</source>
<translation>Zertifikate:</translation>
</message>
<message>
<source>Check the device</source>
<translation>Gerät prüfen</translation>
</message>
<message>
<source>Choose another model in Settings, or install this one again.</source>
<translation>Wählen Sie in den Einstellungen ein anderes Modell, oder installieren Sie dieses neu.</translation>
</message>
<message>
<source>Click: choose among them</source>
<translation>Klick: daraus auswählen</translation>
</message>
<message>
<source>Click: left, right, both</source>
<translation>Klick: links, rechts, beide</translation>
</message>
<message>
<source>Close</source>
<translation>Schließen</translation>
</message>
<message>
<source>Continue the download</source>
<translation>Download fortsetzen</translation>
</message>
<message>
<source>DICOM says {modality}, which SAT does not know; choose what comes closest</source>
<translation>Laut DICOM {modality}; das kennt SAT nicht. Wählen Sie, was am nächsten kommt</translation>
</message>
<message>
<source>Delete the model</source>
<translation>Modell löschen</translation>
</message>
<message>
<source>Dismiss (Esc)</source>
<translation>Ausblenden (Esc)</translation>
</message>
<message>
<source>Dismiss the question</source>
<translation>Frage ausblenden</translation>
</message>
<message>
<source>Do not teach</source>
<translation>Nicht anlernen</translation>
</message>
<message>
<source>Done again: {step}.</source>
<translation>Wiederholt: {step}.</translation>
</message>
<message>
<source>Download</source>
<translation>Herunterladen</translation>
</message>
<message>
<source>Edit</source>
<translation>Bearbeiten</translation>
</message>
<message>
<source>Edit this structure in Segment Editor.</source>
<translation>Diese Struktur im Segment Editor bearbeiten.</translation>
</message>
<message>
<source>Enter shows where it is, F2 renames the segment, Del removes it.</source>
<translation>Eingabe zeigt, wo sie ist, F2 benennt das Segment um, Entf entfernt es.</translation>
</message>
<message>
<source>Esc twice does the same.</source>
<translation>Zweimal Esc bewirkt dasselbe.</translation>
</message>
<message>
<source>File of certificates</source>
<translation>Datei mit Zertifikaten</translation>
</message>
<message>
<source>File with the token</source>
<translation>Datei mit dem Token</translation>
</message>
<message>
<source>Fits the word on what the model sees in this scan. A minute or two.</source>
<translation>Passt das Wort an das an, was das Modell in diesem Bild sieht. Ein bis zwei Minuten.</translation>
</message>
<message>
<source>Folder with the weights</source>
<translation>Ordner mit den Gewichten</translation>
</message>
<message>
<source>Forget a set</source>
<translation>Liste löschen</translation>
</message>
<message>
<source>Free text: SAT was never trained on this name.</source>
<translation>Freitext: SAT wurde nie auf diesen Namen trainiert.</translation>
</message>
<message>
<source>Free text: SAT was not trained on this. Check the result carefully.</source>
<translation>Freitext: SAT wurde darauf nicht trainiert. Prüfen Sie das Ergebnis sorgfältig.</translation>
</message>
<message>
<source>From a report…</source>
<translation>Aus einem Befund…</translation>
</message>
<message>
<source>GPU (CUDA)</source>
<translation>GPU (CUDA)</translation>
</message>
<message>
<source>Go to the module SAT Segment.</source>
<translation>Zum Modul SAT Segment wechseln.</translation>
</message>
<message>
<source>Hide</source>
<translation>Ausblenden</translation>
</message>
<message>
<source>History</source>
<translation>Verlauf</translation>
</message>
<message>
<source>I have read this</source>
<translation>Ich habe dies gelesen</translation>
</message>
<message>
<source>Import from a folder…</source>
<translation>Aus einem Ordner importieren…</translation>
</message>
<message>
<source>In 8 bits</source>
<translation>Mit 8 Bit</translation>
</message>
<message>
<source>Install</source>
<translation>Installieren</translation>
</message>
<message>
<source>Installing {what}</source>
<translation>{what} wird installiert</translation>
</message>
<message>
<source>Intensity {mean} ± {sd} {unit}, median {median} ({p05} to {p95}). Surface {surface} cm², largest piece {share} %.</source>
<translation>Intensität {mean} ± {sd} {unit}, Median {median} ({p05} bis {p95}). Oberfläche {surface} cm², größtes Stück {share} %.</translation>
</message>
<message>
<source>It is left out of runs with this model.</source>
<translation>Bei diesem Modell wird sie ausgelassen.</translation>
</message>
<message>
<source>Left out, because not found: {names}.</source>
<translation>Weggelassen, weil nicht gefunden: {names}.</translation>
</message>
<message>
<source>Load a scan, and name the structures you want.</source>
<translation>Laden Sie ein Bild und nennen Sie die gewünschten Strukturen.</translation>
</message>
<message>
<source>Mean of the network's probability over the structure's voxels. This is not a measure of accuracy.</source>
<translation>Mittlere Wahrscheinlichkeit des Netzes über die Voxel der Struktur. Sie ist kein Maß für die Genauigkeit.</translation>
</message>
<message>
<source>Mean p</source>
<translation>Mittl. p</translation>
</message>
<message>
<source>Model {model} is not installed. Choose another one in Settings.</source>
<translation>Das Modell {model} ist nicht vorhanden. Wählen Sie in den Einstellungen ein anderes.</translation>
</message>
<message>
<source>My sets</source>
<translation>Meine Listen</translation>
</message>
<message>
<source>Name</source>
<translation>Name</translation>
</message>
<message>
<source>Name of the new word</source>
<translation>Name des neuen Wortes</translation>
</message>
<message>
<source>Name of the set</source>
<translation>Name der Liste</translation>
</message>
<message>
<source>Name of the set with these {count} structures:</source>
<translation>Name der Liste mit diesen {count} Strukturen:</translation>
</message>
<message>
<source>Not installed: {packages}</source>
<translation>Nicht installiert: {packages}</translation>
</message>
<message>
<source>Nothing to redo.</source>
<translation>Nichts zu wiederholen.</translation>
</message>
<message>
<source>Nothing to undo.</source>
<translation>Nichts zurückzunehmen.</translation>
</message>
<message>
<source>Nothing to undo: what was done before the scene was saved cannot be taken back.</source>
<translation>Nichts zurückzunehmen: Was vor dem Speichern der Szene geschah, lässt sich nicht zurücknehmen.</translation>
</message>
<message>
<source>Paste a list</source>
<translation>Liste einfügen</translation>
</message>
<message>
<source>Paste the report here. It stays in this window: it is not saved and not sent.</source>
<translation>Fügen Sie den Befund hier ein. Er bleibt in diesem Fenster: Er wird weder gespeichert noch gesendet.</translation>
</message>
<message>
<source>Presets</source>
<translation>Vorlagen</translation>
</message>
<message>
<source>Presets, history, paste, from report</source>
<translation>Vorlagen, Verlauf, Einfügen, aus Befund</translation>
</message>
<message>
<source>Progress of the run</source>
<translation>Fortschritt der Segmentierung</translation>
</message>
<message>
<source>PyTorch is not installed · {size}</source>
<translation>PyTorch ist nicht installiert · {size}</translation>
</message>
<message>
<source>Python cannot be started: {subject}. Check the installation.</source>
<translation>Python kann nicht gestartet werden: {subject}. Bitte die Installation prüfen.</translation>
</message>
<message>
<source>Redo</source>
<translation>Wiederholen</translation>
</message>
<message>
<source>Redo {step}</source>
<translation>{step} wiederholen</translation>
</message>
<message>
<source>Remove</source>
<translation>Entfernen</translation>
</message>
<message>
<source>Remove all structures</source>
<translation>Alle Strukturen entfernen</translation>
</message>
<message>
<source>Remove this structure. (Del)</source>
<translation>Diese Struktur entfernen. (Entf)</translation>
</message>
<message>
<source>Remove {name}</source>
<translation>{name} entfernen</translation>
</message>
<message>
<source>Removes the chosen model's weights from this computer.</source>
<translation>Entfernt die Gewichte des gewählten Modells von diesem Computer.</translation>
</message>
<message>
<source>Report</source>
<translation>Befund</translation>
</message>
<message>
<source>Report with its findings marked</source>
<translation>Befund mit markierten Angaben</translation>
</message>
<message>
<source>Result</source>
<translation>Ergebnis</translation>
</message>
<message>
<source>Results</source>
<translation>Ergebnisse</translation>
</message>
<message>
<source>Results as DICOM</source>
<translation>Ergebnisse als DICOM</translation>
</message>
<message>
<source>Run on:</source>
<translation>Ausführen auf:</translation>
</message>
<message>
<source>Runs a small computation on the chosen device and says which it is.</source>
<translation>Führt auf dem gewählten Gerät eine kleine Berechnung aus und nennt das Gerät.</translation>
</message>
<message>
<source>SAT Segment</source>
<translation>SAT Segment</translation>
</message>
<message>
<source>SAT Segment: {text}</source>
<translation>SAT Segment: {text}</translation>
</message>
<message>
<source>SAT was not trained on “{text}”, and {model} takes no free text. Is it spelled right?</source>
<translation>SAT wurde nicht auf „{text}“ trainiert, und {model} liest keinen Freitext. Ist es richtig geschrieben?</translation>
</message>
<message>
<source>SAT was not trained on “{text}”. Is it spelled right?</source>
<translation>SAT wurde nicht auf „{text}“ trainiert. Ist es richtig geschrieben?</translation>
</message>
<message>
<source>Save these structures as a set…</source>
<translation>Diese Strukturen als Liste speichern…</translation>
</message>
<message>
<source>Search</source>
<translation>Suchen</translation>
</message>
<message>
<source>Search in the tree</source>
<translation>Im Baum suchen</translation>
</message>
<message>
<source>Seconds spent on this structure alone.</source>
<translation>Sekunden nur für diese Struktur.</translation>
</message>
<message>
<source>Segment</source>
<translation>Segmentieren</translation>
</message>
<message>
<source>Segment 1 structure</source>
<translation>1 Struktur segmentieren</translation>
</message>
<message>
<source>Segment on the CPU</source>
<translation>Auf der CPU segmentieren</translation>
</message>
<message>
<source>Segment to teach from</source>
<translation>Segment zum Anlernen</translation>
</message>
<message>
<source>Segment {count} structures</source>
<translation>{count} Strukturen segmentieren</translation>
</message>
<message>
<source>Server</source>
<translation>Server</translation>
</message>
<message>
<source>Set for this site by SATSEGMENT_MODELS.</source>
<translation>Für diesen Standort durch SATSEGMENT_MODELS festgelegt.</translation>
</message>
<message>
<source>Settings   model {model} · cache {cache:.0f} GB</source>
<translation>Einstellungen   Modell {model} · Cache {cache:.0f} GB</translation>
</message>
<message>
<source>Show</source>
<translation>Zeigen</translation>
</message>
<message>
<source>Show or hide this structure.</source>
<translation>Diese Struktur zeigen oder ausblenden.</translation>
</message>
<message>
<source>Something went wrong: {error}. The log says more.</source>
<translation>Etwas ist schiefgegangen: {error}. Mehr steht im Protokoll.</translation>
</message>
<message>
<source>Structure</source>
<translation>Struktur</translation>
</message>
<message>
<source>Structure to segment</source>
<translation>Zu segmentierende Struktur</translation>
</message>
<message>
<source>Structures</source>
<translation>Strukturen</translation>
</message>
<message>
<source>Structures from a report</source>
<translation>Strukturen aus einem Befund</translation>
</message>
<message>
<source>Structures to segment</source>
<translation>Zu segmentierende Strukturen</translation>
</message>
<message>
<source>Structures to take over</source>
<translation>Zu übernehmende Strukturen</translation>
</message>
<message>
<source>Suggestions</source>
<translation>Vorschläge</translation>
</message>
<message>
<source>Suggestions appear while you type. Enter adds, Ctrl+Enter segments.</source>
<translation>Vorschläge erscheinen beim Tippen. Eingabe fügt hinzu, Strg+Eingabe segmentiert.</translation>
</message>
<message>
<source>Take the released files, or a model that another machine has converted, from a folder. No network.</source>
<translation>Die veröffentlichten Dateien oder ein anderswo umgewandeltes Modell aus einem Ordner übernehmen. Ohne Netzwerk.</translation>
</message>
<message>
<source>Teach</source>
<translation>Anlernen</translation>
</message>
<message>
<source>Teach a new word: draw the structure as a segment, then give it a name of your own.</source>
<translation>Ein neues Wort anlernen: Zeichnen Sie die Struktur als Segment und geben Sie ihr einen eigenen Namen.</translation>
</message>
<message>
<source>Teach a word from a segment…</source>
<translation>Ein Wort aus einem Segment anlernen…</translation>
</message>
<message>
<source>Teach this word</source>
<translation>Dieses Wort anlernen</translation>
</message>
<message>
<source>Teach: make this segment, as you edited it, a word that can be asked for.</source>
<translation>Anlernen: aus diesem von Ihnen bearbeiteten Segment ein Wort machen, das man verwenden kann.</translation>
</message>
<message>
<source>Test connection</source>
<translation>Verbindung testen</translation>
</message>
<message>
<source>The Python package {subject} is not installed. Install it, then run again.</source>
<translation>Das Python-Paket {subject} ist nicht installiert. Bitte installieren und erneut starten.</translation>
</message>
<message>
<source>The computer ran out of memory. Nothing was lost. Close other programs, choose a smaller model or fewer structures, and run it again.</source>
<translation>Der Arbeitsspeicher des Computers reichte nicht aus. Es ging nichts verloren. Andere Programme schließen, ein kleineres Modell oder weniger Strukturen wählen und erneut starten.</translation>
</message>
<message>
<source>The model</source>
<translation>Das Modell</translation>
</message>
<message>
<source>The result is marked as untrained; check it carefully.</source>
<translation>Das Ergebnis ist als untrainiert gekennzeichnet; prüfen Sie es sorgfältig.</translation>
</message>
<message>
<source>The segmentation process crashed ({subject}). Nothing was lost. Run it again; if it happens again, report it with the log.</source>
<translation>Der Segmentierungsprozess ist abgestürzt ({subject}). Es ging nichts verloren. Erneut starten; wenn es wieder geschieht, mit dem Protokoll melden.</translation>
</message>
<message>
<source>The segmentation process ended unexpectedly (exit code {subject}). Nothing was lost. Run it again; if it happens again, report it with the log.</source>
<translation>Der Segmentierungsprozess endete unerwartet (Exit-Code {subject}). Es ging nichts verloren. Erneut starten; wenn es wieder geschieht, mit dem Protokoll melden.</translation>
</message>
<message>
<source>The segmentation process starts, and loads the model, while you choose scan and structures. It takes the model's memory until it has been idle for a while.</source>
<translation>Der Segmentierungsprozess startet und lädt das Modell, während Sie Scan und Strukturen wählen. Er belegt den Speicher des Modells, bis er eine Weile unbenutzt war.</translation>
</message>
<message>
<source>The segmentation process was ended from outside, by a person or by the system. Nothing was lost. Run it again. If it happens again, close other programs: the computer may be short of memory.</source>
<translation>Der Segmentierungsprozess wurde von außen beendet, durch eine Person oder das System. Es ging nichts verloren. Erneut starten. Wenn es wieder geschieht, andere Programme schließen: Möglicherweise fehlt dem Computer Arbeitsspeicher.</translation>
</message>
<message>
<source>The server cannot be reached, or the connection was lost. Nothing was lost here. Check the network and whether the server runs; then run it again.</source>
<translation>Der Server ist nicht erreichbar, oder die Verbindung ist abgebrochen. Hier ging nichts verloren. Prüfen Sie das Netzwerk und ob der Server läuft, und starten Sie den Lauf dann erneut.</translation>
</message>
<message>
<source>The server does not know your token. Check the token file in Settings.</source>
<translation>Der Server kennt Ihr Token nicht. Prüfen Sie die Token-Datei in den Einstellungen.</translation>
</message>
<message>
<source>The server has no address yet. Write it in Settings.</source>
<translation>Der Server hat noch keine Adresse. Tragen Sie sie in den Einstellungen ein.</translation>
</message>
<message>
<source>The server has no model {model}. Choose another one in Settings.</source>
<translation>Der Server hat kein Modell {model}. Wählen Sie in den Einstellungen ein anderes.</translation>
</message>
<message>
<source>The threshold can be changed once a model is installed.</source>
<translation>Der Schwellenwert lässt sich ändern, sobald ein Modell installiert ist.</translation>
</message>
<message>
<source>The threshold can be changed with the model that found this: choose {model} in Settings.</source>
<translation>Der Schwellenwert lässt sich mit dem Modell ändern, das dies gefunden hat: Wählen Sie {model} in den Einstellungen.</translation>
</message>
<message>
<source>The threshold can no longer be changed: the scan of this result is not in the scene.</source>
<translation>Der Schwellenwert lässt sich nicht mehr ändern: Das Bild zu diesem Ergebnis ist nicht in der Szene.</translation>
</message>
<message>
<source>The voxels of your scans, their place, and the structures you ask for are sent to {url}. Names of patients, files and DICOM tags are not sent. The server keeps scans in memory while you use them. Send scans there?</source>
<translation>Die Voxel Ihrer Aufnahmen, ihre Lage und die gewünschten Strukturen werden an {url} gesendet. Namen von Patienten und Dateien sowie DICOM-Tags werden nicht gesendet. Der Server hält Aufnahmen im Arbeitsspeicher, solange Sie sie verwenden. Aufnahmen dorthin senden?</translation>
</message>
<message>
<source>There is no segment to teach from. Draw the structure in the result's segmentation first.</source>
<translation>Es gibt kein Segment zum Anlernen. Zeichnen Sie die Struktur zuerst in der Segmentierung des Ergebnisses.</translation>
</message>
<message>
<source>This computer</source>
<translation>Dieser Computer</translation>
</message>
<message>
<source>Threshold of the probability</source>
<translation>Schwellenwert der Wahrscheinlichkeit</translation>
</message>
<message>
<source>Threshold {value:.2f}</source>
<translation>Schwellenwert {value:.2f}</translation>
</message>
<message>
<source>Threshold:</source>
<translation>Schwellenwert:</translation>
</message>
<message>
<source>Token file:</source>
<translation>Token-Datei:</translation>
</message>
<message>
<source>Training</source>
<translation>Training</translation>
</message>
<message>
<source>Try it as free text</source>
<translation>Als Freitext versuchen</translation>
</message>
<message>
<source>Trying…</source>
<translation>Wird versucht…</translation>
</message>
<message>
<source>Type a structure, such as left kidney</source>
<translation>Struktur eingeben, z. B. linke Niere</translation>
</message>
<message>
<source>Undo</source>
<translation>Zurücknehmen</translation>
</message>
<message>
<source>Undo removal</source>
<translation>Entfernen zurücknehmen</translation>
</message>
<message>
<source>Undo renaming</source>
<translation>Umbenennen zurücknehmen</translation>
</message>
<message>
<source>Undo segmentation</source>
<translation>Segmentierung zurücknehmen</translation>
</message>
<message>
<source>Undo threshold</source>
<translation>Schwellenwert zurücknehmen</translation>
</message>
<message>
<source>Undo {step}</source>
<translation>{step} zurücknehmen</translation>
</message>
<message>
<source>Undone: {step}.</source>
<translation>Zurückgenommen: {step}.</translation>
</message>
<message>
<source>Volume in millilitres.</source>
<translation>Volumen in Millilitern.</translation>
</message>
<message>
<source>What the structure is called in the language chosen in Settings.</source>
<translation>Wie die Struktur in der Sprache heißt, die in den Einstellungen gewählt ist.</translation>
</message>
<message>
<source>Where runs go</source>
<translation>Wo Läufe ausgeführt werden</translation>
</message>
<message>
<source>Whether the structure was found, whether the scan's edge cuts it, and what speaks against it.</source>
<translation>Ob die Struktur gefunden wurde, ob der Rand der Aufnahme sie abschneidet und was gegen sie spricht.</translation>
</message>
<message>
<source>Working. SATSegment {version}, models: {models}; devices: {devices}.</source>
<translation>Funktioniert. SATSegment {version}, Modelle: {models}; Geräte: {devices}.</translation>
</message>
<message>
<source>Writing the DICOM file…</source>
<translation>DICOM-Datei wird geschrieben…</translation>
</message>
<message>
<source>Written: 1 structure.</source>
<translation>Geschrieben: 1 Struktur.</translation>
</message>
<message>
<source>Written: {count} structures.</source>
<translation>Geschrieben: {count} Strukturen.</translation>
</message>
<message>
<source>back</source>
<translation>hinten</translation>
</message>
<message>
<source>cut by the scan's edges: {edges}</source>
<translation>vom Bildrand abgeschnitten: {edges}</translation>
</message>
<message>
<source>cut by the scan's {edges} edge</source>
<translation>vom Bildrand {edges} abgeschnitten</translation>
</message>
<message>
<source>finding</source>
<translation>Auffälligkeit</translation>
</message>
<message>
<source>found</source>
<translation>gefunden</translation>
</message>
<message>
<source>free text</source>
<translation>Freitext</translation>
</message>
<message>
<source>from DICOM</source>
<translation>aus DICOM</translation>
</message>
<message>
<source>front</source>
<translation>vorne</translation>
</message>
<message>
<source>guessed: no air at -1000, so not CT; choose PET if it is</source>
<translation>geschätzt: keine Luft bei -1000, also keine CT; wählen Sie PET, falls es eine ist</translation>
</message>
<message>
<source>guessed: values down to {low:.0f}, as Hounsfield units have</source>
<translation>geschätzt: Werte bis hinab zu {low:.0f}, wie Hounsfield-Einheiten sie haben</translation>
</message>
<message>
<source>intensity</source>
<translation>Intensität</translation>
</message>
<message>
<source>left</source>
<translation>links</translation>
</message>
<message>
<source>lower</source>
<translation>unten</translation>
</message>
<message>
<source>mL</source>
<translation>mL</translation>
</message>
<message>
<source>named as “{text}”</source>
<translation>bezeichnet als „{text}“</translation>
</message>
<message>
<source>not found</source>
<translation>nicht gefunden</translation>
</message>
<message>
<source>not in this model</source>
<translation>nicht in diesem Modell</translation>
</message>
<message>
<source>not in this scan</source>
<translation>nicht in dieser Aufnahme</translation>
</message>
<message>
<source>not kept</source>
<translation>nicht behalten</translation>
</message>
<message>
<source>not known to this model</source>
<translation>diesem Modell unbekannt</translation>
</message>
<message>
<source>not trained in this modality</source>
<translation>in dieser Modalität nicht trainiert</translation>
</message>
<message>
<source>of the past</source>
<translation>früher</translation>
</message>
<message>
<source>only possible</source>
<translation>nur möglich</translation>
</message>
<message>
<source>outside its organ</source>
<translation>außerhalb des Organs</translation>
</message>
<message>
<source>overlap</source>
<translation>Überlappung</translation>
</message>
<message>
<source>pieces far apart</source>
<translation>Stücke weit auseinander</translation>
</message>
<message>
<source>removal of {structure}</source>
<translation>Entfernen von {structure}</translation>
</message>
<message>
<source>removed</source>
<translation>entfernt</translation>
</message>
<message>
<source>renaming to {name}</source>
<translation>Umbenennen in {name}</translation>
</message>
<message>
<source>right</source>
<translation>rechts</translation>
</message>
<message>
<source>s</source>
<translation>s</translation>
</message>
<message>
<source>said not to be there</source>
<translation>laut Befund nicht vorhanden</translation>
</message>
<message>
<source>same mask</source>
<translation>gleiche Maske</translation>
</message>
<message>
<source>segmentation of {structures}</source>
<translation>Segmentierung von {structures}</translation>
</message>
<message>
<source>starting</source>
<translation>startet</translation>
</message>
<message>
<source>such as my implant</source>
<translation>z. B. mein Implantat</translation>
</message>
<message>
<source>threshold of {structure}</source>
<translation>Schwellenwert von {structure}</translation>
</message>
<message>
<source>trained in this modality</source>
<translation>in dieser Modalität trainiert</translation>
</message>
<message>
<source>upper</source>
<translation>oben</translation>
</message>
<message>
<source>volume</source>
<translation>Volumen</translation>
</message>
<message>
<source>without “{words}”</source>
<translation>ohne „{words}“</translation>
</message>
<message>
<source>wrong place</source>
<translation>falscher Ort</translation>
</message>
<message>
<source>wrong side</source>
<translation>falsche Seite</translation>
</message>
<message>
<source>{count} scans</source>
<translation>{count} Aufnahmen</translation>
</message>
<message>
<source>{count} structures</source>
<translation>{count} Strukturen</translation>
</message>
<message>
<source>{device} ran out of memory. Nothing was lost. Close other programs, choose a smaller model, or segment on the CPU.</source>
<translation>Der Speicher von {device} reichte nicht aus. Es ging nichts verloren. Andere Programme schließen, ein kleineres Modell wählen oder auf der CPU segmentieren.</translation>
</message>
<message>
<source>{device}: {name}{size}, PyTorch {torch}. Working.</source>
<translation>{device}: {name}{size}, PyTorch {torch}. Funktioniert.</translation>
</message>
<message>
<source>{found} of {asked} found · {time} · {device}</source>
<translation>{found} von {asked} gefunden · {time} · {device}</translation>
</message>
<message>
<source>{known} of {count} in this model</source>
<translation>{known} von {count} in diesem Modell</translation>
</message>
<message>
<source>{modality} only</source>
<translation>nur {modality}</translation>
</message>
<message>
<source>{modality} taught</source>
<translation>{modality}, angelernt</translation>
</message>
<message>
<source>{model} (not installed)</source>
<translation>{model} (nicht installiert)</translation>
</message>
<message>
<source>{model} (not on the server)</source>
<translation>{model} (nicht auf dem Server)</translation>
</message>
<message>
<source>{model} is removed from this computer. To use it again, it must be downloaded or imported again.</source>
<translation>{model} wird von diesem Computer entfernt. Um es wieder zu verwenden, muss es neu heruntergeladen oder importiert werden.</translation>
</message>
<message>
<source>{model} was not trained on {name}. Choose another model in Settings to segment it.</source>
<translation>{model} wurde nicht auf {name} trainiert. Wählen Sie in den Einstellungen ein anderes Modell, um es zu segmentieren.</translation>
</message>
<message>
<source>{model} was not trained on {structures}. Choose another model in Settings, or they are left out.</source>
<translation>{model} wurde nicht auf {structures} trainiert. Wählen Sie in den Einstellungen ein anderes Modell, sonst werden sie ausgelassen.</translation>
</message>
<message>
<source>{model} was not trained on {structure}. Choose another model in Settings and segment again, or remove the structure.</source>
<translation>{model} wurde nicht auf {structure} trainiert. Wählen Sie in den Einstellungen ein anderes Modell und segmentieren Sie erneut, oder entfernen Sie die Struktur.</translation>
</message>
<message>
<source>{names}: changed since then. These changes would be lost.</source>
<translation>{names}: seither geändert. Diese Änderungen gingen verloren.</translation>
</message>
<message>
<source>{name} is already in the list.</source>
<translation>{name} gibt es schon.</translation>
</message>
<message>
<source>{name} results</source>
<translation>{name} Ergebnisse</translation>
</message>
<message>
<source>{name}, {count} structures</source>
<translation>{name}, {count} Strukturen</translation>
</message>
<message>
<source>{name}, {why}, will be left out</source>
<translation>{name}, {why}, wird ausgelassen</translation>
</message>
<message>
<source>{number} of {total} windows of the scan were looked at.</source>
<translation>{number} von {total} Fenstern der Aufnahme wurden betrachtet.</translation>
</message>
<message>
<source>{percent} %</source>
<translation>{percent} %</translation>
</message>
<message>
<source>{percent} % · </source>
<translation>{percent} % · </translation>
</message>
<message>
<source>{percent} %, as SAT itself</source>
<translation>{percent} %, wie SAT selbst</translation>
</message>
<message>
<source>{refusal} What comes closest:</source>
<translation>{refusal} Am nächsten kommt:</translation>
</message>
<message>
<source>{side} side in the report</source>
<translation>Seite {side} im Befund</translation>
</message>
<message>
<source>{size} already downloaded.</source>
<translation>{size} sind schon angekommen.</translation>
</message>
<message>
<source>{structures}: SAT knows it in {other} only, and {chosen} is chosen.</source>
<translation>{structures}: SAT kennt es nur in {other}, und {chosen} ist gewählt.</translation>
</message>
<message>
<source>{structure} with threshold {threshold}: {now}, was {before} · {time}</source>
<translation>{structure} mit Schwellenwert {threshold}: {now}, vorher {before} · {time}</translation>
</message>
<message>
<source>{structure}: {status}. Highest probability {highest}. {model}, {device}, {precision}.</source>
<translation>{structure}: {status}. Höchste Wahrscheinlichkeit {highest}. {model}, {device}, {precision}.</translation>
</message>
<message>
<source>{volume} is {found} by its DICOM tags</source>
<translation>{volume} ist laut DICOM-Angaben {found}</translation>
</message>
<message>
<source>{volume} looks like {found}</source>
<translation>{volume} sieht aus wie {found}</translation>
</message>
<message>
<source>{volume} mL</source>
<translation>{volume} mL</translation>
</message>
<message>
<source>“{name}” can be asked for now: {quality} · {time}</source>
<translation>„{name}“ kann jetzt verwendet werden: {quality} · {time}</translation>
</message>
<message>
<source>“{text}” cannot be segmented: {reason}.</source>
<translation>„{text}“ kann nicht segmentiert werden: {reason}.</translation>
</message>
<message>
<source>“{text}” may be {names}: {model} was not trained on these. Choose another model in Settings.</source>
<translation>„{text}“ kann {names} sein: {model} wurde darauf nicht trainiert. Wählen Sie in den Einstellungen ein anderes Modell.</translation>
</message>
<message>
<source>“{text}”: did you mean</source>
<translation>„{text}“: Meinten Sie</translation>
</message>
<message>
<source>⚠ check: {reasons}</source>
<translation>⚠ prüfen: {reasons}</translation>
</message>
</context>
</TS>
