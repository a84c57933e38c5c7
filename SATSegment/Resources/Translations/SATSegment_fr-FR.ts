<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="fr_FR" sourcelanguage="en_US">
<context>
<name>SATSegment</name>
<message>
<source> GB</source>
<translation> Go</translation>
</message>
<message>
<source>Close</source>
<translation>Fermer</translation>
</message>
<message>
<source>Close this message</source>
<translation>Fermer ce message</translation>
</message>
<message>
<source>Copy the log</source>
<translation>Copier le journal</translation>
</message>
<message>
<source>Device</source>
<translation>Périphérique</translation>
</message>
<message>
<source>Device:</source>
<translation>Périphérique :</translation>
</message>
<message>
<source>Do again what was taken back. (Ctrl+Shift+Z)</source>
<translation>Rétablir ce qui a été annulé. (Ctrl+Maj+Z)</translation>
</message>
<message>
<source>Do what helps</source>
<translation>Appliquer le remède</translation>
</message>
<message>
<source>Export</source>
<translation>Exporter</translation>
</message>
<message>
<source>Export the table of results</source>
<translation>Exporter le tableau des résultats</translation>
</message>
<message>
<source>Folder of the weights</source>
<translation>Dossier des poids</translation>
</message>
<message>
<source>Half precision needs half the memory of a GPU.</source>
<translation>La demi-précision demande deux fois moins de mémoire graphique.</translation>
</message>
<message>
<source>How image features are kept</source>
<translation>Comment les caractéristiques d'image sont conservées</translation>
</message>
<message>
<source>How much neighbouring windows share. Less is faster, and masks differ a little.</source>
<translation>Part que partagent des fenêtres voisines. Moins est plus rapide, et les masques diffèrent un peu.</translation>
</message>
<message>
<source>How the modality was found</source>
<translation>Comment la modalité a été déterminée</translation>
</message>
<message>
<source>Image features:</source>
<translation>Caractéristiques d'image :</translation>
</message>
<message>
<source>In 8 bits they take half the memory; masks then differ a little.</source>
<translation>Sur 8 bits, elles prennent deux fois moins de mémoire ; les masques diffèrent alors un peu.</translation>
</message>
<message>
<source>Install</source>
<translation>Installer</translation>
</message>
<message>
<source>Install what is missing</source>
<translation>Installer ce qui manque</translation>
</message>
<message>
<source>Keep the table: as a table in the scene, or as a CSV file.</source>
<translation>Conserver le tableau : dans la scène ou en fichier CSV.</translation>
</message>
<message>
<source>Language of the structures' names</source>
<translation>Langue des noms de structures</translation>
</message>
<message>
<source>Load the model when the panel opens</source>
<translation>Charger le modèle à l’ouverture du panneau</translation>
</message>
<message>
<source>Log</source>
<translation>Journal</translation>
</message>
<message>
<source>Memory for the scan's features in gigabytes</source>
<translation>Mémoire pour les caractéristiques de l'image, en gigaoctets</translation>
</message>
<message>
<source>Memory for the scan:</source>
<translation>Mémoire pour l'image :</translation>
</message>
<message>
<source>Modality of the scan</source>
<translation>Modalité de l'image</translation>
</message>
<message>
<source>Modality:</source>
<translation>Modalité :</translation>
</message>
<message>
<source>Model</source>
<translation>Modèle</translation>
</message>
<message>
<source>Model:</source>
<translation>Modèle :</translation>
</message>
<message>
<source>Names in:</source>
<translation>Noms en :</translation>
</message>
<message>
<source>New segmentation</source>
<translation>Nouvelle segmentation</translation>
</message>
<message>
<source>Overlap of the windows</source>
<translation>Recouvrement des fenêtres</translation>
</message>
<message>
<source>Overlap:</source>
<translation>Recouvrement :</translation>
</message>
<message>
<source>Precision</source>
<translation>Précision</translation>
</message>
<message>
<source>Precision:</source>
<translation>Précision :</translation>
</message>
<message>
<source>Progress of the run</source>
<translation>Progression de la segmentation</translation>
</message>
<message>
<source>Progress of the set-up</source>
<translation>Progression de l'installation</translation>
</message>
<message>
<source>Redo</source>
<translation>Rétablir</translation>
</message>
<message>
<source>Research use only. Not a medical device.</source>
<translation>Pour la recherche uniquement. N'est pas un dispositif médical.</translation>
</message>
<message>
<source>Result:</source>
<translation>Résultat :</translation>
</message>
<message>
<source>Results</source>
<translation>Résultats</translation>
</message>
<message>
<source>SAT Segment</source>
<translation>SAT Segment</translation>
</message>
<message>
<source>SAT-Pro is the most exact, SAT-Nano needs less memory, the demo model comes with SATSegment and knows few structures.</source>
<translation>SAT-Pro est le plus exact, SAT-Nano demande moins de mémoire ; le modèle de démonstration est fourni avec SATSegment et connaît peu de structures.</translation>
</message>
<message>
<source>Scan to segment</source>
<translation>Image à segmenter</translation>
</message>
<message>
<source>Scan:</source>
<translation>Image :</translation>
</message>
<message>
<source>Segment</source>
<translation>Segmenter</translation>
</message>
<message>
<source>Segmentation for the result</source>
<translation>Segmentation pour le résultat</translation>
</message>
<message>
<source>Segments CT, MRI and PET by anatomy names, with SAT, a text-prompted network that knows 498 labels. Research use only; not a medical device.</source>
<translation>Segmente TDM, IRM et TEP d'après des noms anatomiques, avec SAT, un réseau guidé par le texte qui connaît 498 étiquettes. Pour la recherche uniquement ; n'est pas un dispositif médical.</translation>
</message>
<message>
<source>Settings</source>
<translation>Paramètres</translation>
</message>
<message>
<source>Show 3D</source>
<translation>Afficher en 3D</translation>
</message>
<message>
<source>Show the segmentation in 3D</source>
<translation>Afficher la segmentation en 3D</translation>
</message>
<message>
<source>Structures are shown with their names in this language beside the trained ones. All languages are understood, whatever is chosen here.</source>
<translation>Les structures sont affichées avec leur nom dans cette langue à côté du nom entraîné. Toutes les langues sont comprises, quel que soit ce choix.</translation>
</message>
<message>
<source>Take back the last step. (Ctrl+Z)</source>
<translation>Annuler la dernière étape. (Ctrl+Z)</translation>
</message>
<message>
<source>The folder with the models' weights; several Slicer versions can share it.</source>
<translation>Dossier des poids des modèles ; plusieurs versions de Slicer peuvent le partager.</translation>
</message>
<message>
<source>The network looks at a large scan in overlapping windows. Adaptive: first as few as cover the scan, then those around what is found.</source>
<translation>Le réseau regarde un grand examen par fenêtres qui se recouvrent. Adaptatif : d'abord aussi peu qu'il en faut pour le couvrir, puis celles autour de ce qui est trouvé.</translation>
</message>
<message>
<source>The network was published by: {citation}</source>
<translation>Le réseau a été publié par : {citation}</translation>
</message>
<message>
<source>The scan to segment: CT, MRI or PET.</source>
<translation>L'image à segmenter : TDM, IRM ou TEP.</translation>
</message>
<message>
<source>The segmentation that receives the structures: a new one, or one that is there already. Structures in it that are not asked for are left as they are.</source>
<translation>La segmentation qui reçoit les structures : une nouvelle ou une existante. Les structures qui n'y sont pas demandées restent telles quelles.</translation>
</message>
<message>
<source>Undo</source>
<translation>Annuler l'action</translation>
</message>
<message>
<source>Undo the last step</source>
<translation>Annuler la dernière étape</translation>
</message>
<message>
<source>Warning before the run</source>
<translation>Avertissement avant la segmentation</translation>
</message>
<message>
<source>Weights:</source>
<translation>Poids :</translation>
</message>
<message>
<source>What is going on</source>
<translation>Ce qui est en cours</translation>
</message>
<message>
<source>What is missing</source>
<translation>Ce qui manque</translation>
</message>
<message>
<source>What kind of scan this is. SAT knows different structures in each modality.</source>
<translation>De quel type d'image il s'agit. SAT connaît des structures différentes selon la modalité.</translation>
</message>
<message>
<source>What the network has seen of a scan is kept, so that more structures of the same scan come quickly. What does not fit goes to disk.</source>
<translation>Ce que le réseau a vu d'une image est conservé, pour que d'autres structures de la même image viennent vite. Ce qui dépasse va sur le disque.</translation>
</message>
<message>
<source>What to look at before trusting the result</source>
<translation>Ce qu'il faut vérifier avant de se fier au résultat</translation>
</message>
<message>
<source>What went wrong, and what to do</source>
<translation>Ce qui a échoué, et que faire</translation>
</message>
<message>
<source>Where the network runs. The device is never changed without asking.</source>
<translation>Où le réseau s'exécute. Le périphérique n'est jamais changé sans demander.</translation>
</message>
<message>
<source>Which windows of the scan the network looks at</source>
<translation>Fenêtres de l'examen que le réseau regarde</translation>
</message>
<message>
<source>Windows:</source>
<translation>Fenêtres :</translation>
</message>
</context>
<context>
<name>gui</name>
<message>
<source> · {count} not known to this model</source>
<translation> · {count} inconnues de ce modèle</translation>
</message>
<message>
<source> · {time} left</source>
<translation> · encore {time}</translation>
</message>
<message>
<source>({number} of {count}) </source>
<translation>({number} sur {count}) </translation>
</message>
<message>
<source>, but {chosen} is chosen. Masks would be wrong.</source>
<translation>, mais {chosen} est sélectionné. Les masques seraient faux.</translation>
</message>
<message>
<source>A file of certificates to trust (PEM), for a server with a certificate of the site's own.</source>
<translation>Un fichier de certificats de confiance (PEM), pour un serveur qui a un certificat propre à l’établissement.</translation>
</message>
<message>
<source>A file that holds your token and nothing else. Left empty, SATSEGMENT_TOKEN of the environment is used.</source>
<translation>Un fichier qui contient votre jeton et rien d’autre. S’il est vide, SATSEGMENT_TOKEN de l’environnement est utilisé.</translation>
</message>
<message>
<source>A label of SAT; whether this model was trained on it is not known.</source>
<translation>Un label de SAT ; on ne sait pas si ce modèle a été entraîné dessus.</translation>
</message>
<message>
<source>A run is already in progress. Wait for it, or cancel it.</source>
<translation>Une segmentation est déjà en cours. Attendez la fin ou annulez-la.</translation>
</message>
<message>
<source>A server (satsegment serve) has the GPU and the models; nothing is installed here.</source>
<translation>Un serveur (satsegment serve) possède le GPU et les modèles ; rien n’est installé ici.</translation>
</message>
<message>
<source>A voxel belongs to the structure where its probability exceeds this. Lower makes it larger.</source>
<translation>Un voxel appartient à la structure si sa probabilité dépasse cette valeur. Une valeur plus basse l'agrandit.</translation>
</message>
<message>
<source>A word that was taught from examples.</source>
<translation>Un mot appris à partir d'exemples.</translation>
</message>
<message>
<source>A word {name} already exists. Where it was taught to this model, it is replaced.</source>
<translation>Le mot {name} existe déjà. S'il a été appris pour ce modèle, il est remplacé.</translation>
</message>
<message>
<source>Adaptive: faster for single organs</source>
<translation>Adaptatif : plus rapide pour un seul organe</translation>
</message>
<message>
<source>Add it for another model</source>
<translation>Ajouter pour un autre modèle</translation>
</message>
<message>
<source>Add {count} structures</source>
<translation>Ajouter {count} structures</translation>
</message>
<message>
<source>Address of the server</source>
<translation>Adresse du serveur</translation>
</message>
<message>
<source>Address:</source>
<translation>Adresse :</translation>
</message>
<message>
<source>All</source>
<translation>Toutes</translation>
</message>
<message>
<source>All structures</source>
<translation>Toutes les structures</translation>
</message>
<message>
<source>Apple GPU</source>
<translation>GPU Apple</translation>
</message>
<message>
<source>As Slicer</source>
<translation>Comme Slicer</translation>
</message>
<message>
<source>As a CSV file…</source>
<translation>En fichier CSV…</translation>
</message>
<message>
<source>As a DICOM segmentation (SEG)…</source>
<translation>Comme segmentation DICOM (SEG)…</translation>
</message>
<message>
<source>As a DICOM structure set (RTSTRUCT)…</source>
<translation>Comme ensemble de structures DICOM (RTSTRUCT)…</translation>
</message>
<message>
<source>As a table in the scene</source>
<translation>En tableau dans la scène</translation>
</message>
<message>
<source>As computed</source>
<translation>Telles que calculées</translation>
</message>
<message>
<source>Asks the server for its version, models and devices. No scan is sent.</source>
<translation>Demande au serveur sa version, ses modèles et ses périphériques. Aucune image n’est envoyée.</translation>
</message>
<message>
<source>Automatic</source>
<translation>Automatique</translation>
</message>
<message>
<source>Bold: will be taken over. Struck out: said not to be there. Italic: of the past, or only possible.</source>
<translation>Gras : sera repris. Barré : absent selon le compte rendu. Italique : ancien, ou seulement possible.</translation>
</message>
<message>
<source>Browse all structures</source>
<translation>Parcourir toutes les structures</translation>
</message>
<message>
<source>CPU</source>
<translation>CPU</translation>
</message>
<message>
<source>Cancel</source>
<translation>Annuler</translation>
</message>
<message>
<source>Cancel the run</source>
<translation>Annuler la segmentation</translation>
</message>
<message>
<source>Cancel the run.</source>
<translation>Annuler la segmentation.</translation>
</message>
<message>
<source>Cancelled.</source>
<translation>Annulé.</translation>
</message>
<message>
<source>Cancelling…</source>
<translation>Annulation…</translation>
</message>
<message>
<source>Certificates:</source>
<translation>Certificats :</translation>
</message>
<message>
<source>Check the device</source>
<translation>Vérifier le périphérique</translation>
</message>
<message>
<source>Choose another model in Settings, or install this one again.</source>
<translation>Choisissez un autre modèle dans les paramètres, ou réinstallez celui-ci.</translation>
</message>
<message>
<source>Click: choose among them</source>
<translation>Clic : choisir parmi elles</translation>
</message>
<message>
<source>Click: left, right, both</source>
<translation>Clic : gauche, droite, les deux</translation>
</message>
<message>
<source>Close</source>
<translation>Fermer</translation>
</message>
<message>
<source>Continue the download</source>
<translation>Reprendre le téléchargement</translation>
</message>
<message>
<source>DICOM says {modality}, which SAT does not know; choose what comes closest</source>
<translation>DICOM indique {modality}, que SAT ne connaît pas ; choisissez la plus proche</translation>
</message>
<message>
<source>Delete the model</source>
<translation>Supprimer le modèle</translation>
</message>
<message>
<source>Dismiss (Esc)</source>
<translation>Fermer (Échap)</translation>
</message>
<message>
<source>Dismiss the question</source>
<translation>Fermer la question</translation>
</message>
<message>
<source>Do not teach</source>
<translation>Ne pas apprendre</translation>
</message>
<message>
<source>Done again: {step}.</source>
<translation>Rétabli : {step}.</translation>
</message>
<message>
<source>Download</source>
<translation>Télécharger</translation>
</message>
<message>
<source>Edit</source>
<translation>Modifier</translation>
</message>
<message>
<source>Edit this structure in Segment Editor.</source>
<translation>Modifier cette structure dans Segment Editor.</translation>
</message>
<message>
<source>Enter shows where it is, F2 renames the segment, Del removes it.</source>
<translation>Entrée montre où elle est, F2 renomme le segment, Suppr l'enlève.</translation>
</message>
<message>
<source>Esc twice does the same.</source>
<translation>Deux fois Échap fait de même.</translation>
</message>
<message>
<source>File of certificates</source>
<translation>Fichier de certificats</translation>
</message>
<message>
<source>File with the token</source>
<translation>Fichier contenant le jeton</translation>
</message>
<message>
<source>Fits the word on what the model sees in this scan. A minute or two.</source>
<translation>Ajuste le mot à ce que le modèle voit dans cette image. Une à deux minutes.</translation>
</message>
<message>
<source>Folder with the weights</source>
<translation>Dossier contenant les poids</translation>
</message>
<message>
<source>Forget a set</source>
<translation>Supprimer une liste</translation>
</message>
<message>
<source>Free text: SAT was never trained on this name.</source>
<translation>Texte libre : SAT n'a jamais été entraîné sur ce nom.</translation>
</message>
<message>
<source>Free text: SAT was not trained on this. Check the result carefully.</source>
<translation>Texte libre : SAT n'a pas été entraîné sur ceci. Vérifiez soigneusement le résultat.</translation>
</message>
<message>
<source>From a report…</source>
<translation>À partir d'un compte rendu…</translation>
</message>
<message>
<source>GPU (CUDA)</source>
<translation>GPU (CUDA)</translation>
</message>
<message>
<source>Go to the module SAT Segment.</source>
<translation>Aller au module SAT Segment.</translation>
</message>
<message>
<source>Hide</source>
<translation>Masquer</translation>
</message>
<message>
<source>History</source>
<translation>Historique</translation>
</message>
<message>
<source>I have read this</source>
<translation>J'ai lu ceci</translation>
</message>
<message>
<source>Import from a folder…</source>
<translation>Importer depuis un dossier…</translation>
</message>
<message>
<source>In 8 bits</source>
<translation>Sur 8 bits</translation>
</message>
<message>
<source>Install</source>
<translation>Installer</translation>
</message>
<message>
<source>Installing {what}</source>
<translation>Installation de {what}</translation>
</message>
<message>
<source>Intensity {mean} ± {sd} {unit}, median {median} ({p05} to {p95}). Surface {surface} cm², largest piece {share} %.</source>
<translation>Intensité {mean} ± {sd} {unit}, médiane {median} ({p05} à {p95}). Surface {surface} cm², plus grand fragment {share} %.</translation>
</message>
<message>
<source>It is left out of runs with this model.</source>
<translation>Elle est omise avec ce modèle.</translation>
</message>
<message>
<source>Left out, because not found: {names}.</source>
<translation>Omises, car non trouvées : {names}.</translation>
</message>
<message>
<source>Load a scan, and name the structures you want.</source>
<translation>Chargez une image et nommez les structures voulues.</translation>
</message>
<message>
<source>Mean of the network's probability over the structure's voxels. This is not a measure of accuracy.</source>
<translation>Probabilité moyenne du réseau sur les voxels de la structure. Ce n'est pas une mesure d'exactitude.</translation>
</message>
<message>
<source>Mean p</source>
<translation>p moyenne</translation>
</message>
<message>
<source>Model {model} is not installed. Choose another one in Settings.</source>
<translation>Le modèle {model} est absent. Choisissez-en un autre dans Paramètres.</translation>
</message>
<message>
<source>My sets</source>
<translation>Mes listes</translation>
</message>
<message>
<source>Name</source>
<translation>Nom</translation>
</message>
<message>
<source>Name of the new word</source>
<translation>Nom du nouveau mot</translation>
</message>
<message>
<source>Name of the set</source>
<translation>Nom de la liste</translation>
</message>
<message>
<source>Name of the set with these {count} structures:</source>
<translation>Nom de la liste de ces {count} structures :</translation>
</message>
<message>
<source>Not installed: {packages}</source>
<translation>Non installé : {packages}</translation>
</message>
<message>
<source>Nothing to redo.</source>
<translation>Rien à rétablir.</translation>
</message>
<message>
<source>Nothing to undo.</source>
<translation>Rien à annuler.</translation>
</message>
<message>
<source>Nothing to undo: what was done before the scene was saved cannot be taken back.</source>
<translation>Rien à annuler : ce qui précède l'enregistrement de la scène ne peut pas être annulé.</translation>
</message>
<message>
<source>Paste a list</source>
<translation>Coller une liste</translation>
</message>
<message>
<source>Paste the report here. It stays in this window: it is not saved and not sent.</source>
<translation>Collez le compte rendu ici. Il reste dans cette fenêtre : il n'est ni enregistré ni envoyé.</translation>
</message>
<message>
<source>Presets</source>
<translation>Préréglages</translation>
</message>
<message>
<source>Presets, history, paste, from report</source>
<translation>Préréglages, historique, coller, compte rendu</translation>
</message>
<message>
<source>Progress of the run</source>
<translation>Progression de la segmentation</translation>
</message>
<message>
<source>PyTorch is not installed · {size}</source>
<translation>PyTorch n'est pas installé · {size}</translation>
</message>
<message>
<source>Python cannot be started: {subject}. Check the installation.</source>
<translation>Python ne peut pas être lancé : {subject}. Vérifiez l’installation.</translation>
</message>
<message>
<source>Redo</source>
<translation>Rétablir</translation>
</message>
<message>
<source>Redo {step}</source>
<translation>Rétablir {step}</translation>
</message>
<message>
<source>Remove</source>
<translation>Enlever</translation>
</message>
<message>
<source>Remove all structures</source>
<translation>Enlever toutes les structures</translation>
</message>
<message>
<source>Remove this structure. (Del)</source>
<translation>Enlever cette structure. (Suppr)</translation>
</message>
<message>
<source>Remove {name}</source>
<translation>Enlever {name}</translation>
</message>
<message>
<source>Removes the chosen model's weights from this computer.</source>
<translation>Supprime de cet ordinateur les poids du modèle sélectionné.</translation>
</message>
<message>
<source>Report</source>
<translation>Compte rendu</translation>
</message>
<message>
<source>Report with its findings marked</source>
<translation>Compte rendu avec ses éléments marqués</translation>
</message>
<message>
<source>Result</source>
<translation>Résultat</translation>
</message>
<message>
<source>Results</source>
<translation>Résultats</translation>
</message>
<message>
<source>Results as DICOM</source>
<translation>Résultats en DICOM</translation>
</message>
<message>
<source>Run on:</source>
<translation>Exécuter sur :</translation>
</message>
<message>
<source>Runs a small computation on the chosen device and says which it is.</source>
<translation>Effectue un petit calcul sur le périphérique choisi et indique lequel c'est.</translation>
</message>
<message>
<source>SAT Segment</source>
<translation>SAT Segment</translation>
</message>
<message>
<source>SAT Segment: {text}</source>
<translation>SAT Segment : {text}</translation>
</message>
<message>
<source>SAT was not trained on “{text}”, and {model} takes no free text. Is it spelled right?</source>
<translation>SAT n'a pas été entraîné sur « {text} », et {model} ne lit pas de texte libre. L'orthographe est-elle correcte ?</translation>
</message>
<message>
<source>SAT was not trained on “{text}”. Is it spelled right?</source>
<translation>SAT n'a pas été entraîné sur « {text} ». L'orthographe est-elle correcte ?</translation>
</message>
<message>
<source>Save these structures as a set…</source>
<translation>Enregistrer ces structures comme liste…</translation>
</message>
<message>
<source>Search</source>
<translation>Rechercher</translation>
</message>
<message>
<source>Search in the tree</source>
<translation>Rechercher dans l'arbre</translation>
</message>
<message>
<source>Seconds spent on this structure alone.</source>
<translation>Secondes passées sur cette seule structure.</translation>
</message>
<message>
<source>Segment</source>
<translation>Segmenter</translation>
</message>
<message>
<source>Segment 1 structure</source>
<translation>Segmenter 1 structure</translation>
</message>
<message>
<source>Segment on the CPU</source>
<translation>Segmenter sur le CPU</translation>
</message>
<message>
<source>Segment to teach from</source>
<translation>Segment servant d'exemple</translation>
</message>
<message>
<source>Segment {count} structures</source>
<translation>Segmenter {count} structures</translation>
</message>
<message>
<source>Server</source>
<translation>Serveur</translation>
</message>
<message>
<source>Set for this site by SATSEGMENT_MODELS.</source>
<translation>Défini pour ce site par SATSEGMENT_MODELS.</translation>
</message>
<message>
<source>Settings   model {model} · cache {cache:.0f} GB</source>
<translation>Paramètres   modèle {model} · cache {cache:.0f} Go</translation>
</message>
<message>
<source>Show</source>
<translation>Afficher</translation>
</message>
<message>
<source>Show or hide this structure.</source>
<translation>Afficher ou masquer cette structure.</translation>
</message>
<message>
<source>Something went wrong: {error}. The log says more.</source>
<translation>Une erreur s'est produite : {error}. Le journal en dit plus.</translation>
</message>
<message>
<source>Structure</source>
<translation>Structure</translation>
</message>
<message>
<source>Structure to segment</source>
<translation>Structure à segmenter</translation>
</message>
<message>
<source>Structures</source>
<translation>Structures</translation>
</message>
<message>
<source>Structures from a report</source>
<translation>Structures d'un compte rendu</translation>
</message>
<message>
<source>Structures to segment</source>
<translation>Structures à segmenter</translation>
</message>
<message>
<source>Structures to take over</source>
<translation>Structures à reprendre</translation>
</message>
<message>
<source>Suggestions</source>
<translation>Suggestions</translation>
</message>
<message>
<source>Suggestions appear while you type. Enter adds, Ctrl+Enter segments.</source>
<translation>Les suggestions apparaissent pendant la saisie. Entrée ajoute, Ctrl+Entrée segmente.</translation>
</message>
<message>
<source>Take the released files, or a model that another machine has converted, from a folder. No network.</source>
<translation>Prendre dans un dossier les fichiers publiés, ou un modèle converti sur une autre machine. Sans réseau.</translation>
</message>
<message>
<source>Teach</source>
<translation>Apprendre</translation>
</message>
<message>
<source>Teach a new word: draw the structure as a segment, then give it a name of your own.</source>
<translation>Apprendre un nouveau mot : dessinez la structure comme segment, puis donnez-lui un nom à vous.</translation>
</message>
<message>
<source>Teach a word from a segment…</source>
<translation>Apprendre un mot à partir d'un segment…</translation>
</message>
<message>
<source>Teach this word</source>
<translation>Apprendre ce mot</translation>
</message>
<message>
<source>Teach: make this segment, as you edited it, a word that can be asked for.</source>
<translation>Apprendre : faire de ce segment, tel que vous l'avez modifié, un mot utilisable.</translation>
</message>
<message>
<source>Test connection</source>
<translation>Tester la connexion</translation>
</message>
<message>
<source>The Python package {subject} is not installed. Install it, then run again.</source>
<translation>Le paquet Python {subject} n’est pas installé. Installez-le, puis relancez.</translation>
</message>
<message>
<source>The computer ran out of memory. Nothing was lost. Close other programs, choose a smaller model or fewer structures, and run it again.</source>
<translation>L’ordinateur a manqué de mémoire. Rien n’a été perdu. Fermez d’autres programmes, choisissez un modèle plus petit ou moins de structures, puis relancez.</translation>
</message>
<message>
<source>The model</source>
<translation>Le modèle</translation>
</message>
<message>
<source>The result is marked as untrained; check it carefully.</source>
<translation>Le résultat est marqué comme non entraîné ; vérifiez-le soigneusement.</translation>
</message>
<message>
<source>The segmentation process crashed ({subject}). Nothing was lost. Run it again; if it happens again, report it with the log.</source>
<translation>Le processus de segmentation a planté ({subject}). Rien n’a été perdu. Relancez-le ; si cela se reproduit, signalez-le avec le journal.</translation>
</message>
<message>
<source>The segmentation process ended unexpectedly (exit code {subject}). Nothing was lost. Run it again; if it happens again, report it with the log.</source>
<translation>Le processus de segmentation s’est arrêté de façon inattendue (code de sortie {subject}). Rien n’a été perdu. Relancez-le ; si cela se reproduit, signalez-le avec le journal.</translation>
</message>
<message>
<source>The segmentation process starts, and loads the model, while you choose scan and structures. It takes the model's memory until it has been idle for a while.</source>
<translation>Le processus de segmentation démarre et charge le modèle pendant que vous choisissez l’examen et les structures. Il occupe la mémoire du modèle jusqu’à une période d’inactivité.</translation>
</message>
<message>
<source>The segmentation process was ended from outside, by a person or by the system. Nothing was lost. Run it again. If it happens again, close other programs: the computer may be short of memory.</source>
<translation>Le processus de segmentation a été arrêté de l’extérieur, par une personne ou par le système. Rien n’a été perdu. Relancez-le. Si cela se reproduit, fermez d’autres programmes : l’ordinateur manque peut-être de mémoire.</translation>
</message>
<message>
<source>The server cannot be reached, or the connection was lost. Nothing was lost here. Check the network and whether the server runs; then run it again.</source>
<translation>Le serveur est injoignable, ou la connexion a été perdue. Rien n’a été perdu ici. Vérifiez le réseau et que le serveur fonctionne, puis relancez.</translation>
</message>
<message>
<source>The server does not know your token. Check the token file in Settings.</source>
<translation>Le serveur ne connaît pas votre jeton. Vérifiez le fichier du jeton dans les réglages.</translation>
</message>
<message>
<source>The server has no address yet. Write it in Settings.</source>
<translation>Le serveur n’a pas encore d’adresse. Saisissez-la dans les réglages.</translation>
</message>
<message>
<source>The server has no model {model}. Choose another one in Settings.</source>
<translation>Le serveur n’a pas de modèle {model}. Choisissez-en un autre dans les réglages.</translation>
</message>
<message>
<source>The threshold can be changed once a model is installed.</source>
<translation>Le seuil pourra être changé une fois un modèle installé.</translation>
</message>
<message>
<source>The threshold can be changed with the model that found this: choose {model} in Settings.</source>
<translation>Le seuil peut être changé avec le modèle qui a trouvé ceci : choisissez {model} dans Paramètres.</translation>
</message>
<message>
<source>The threshold can no longer be changed: the scan of this result is not in the scene.</source>
<translation>Le seuil ne peut plus être changé : l'image de ce résultat n'est pas dans la scène.</translation>
</message>
<message>
<source>The voxels of your scans, their place, and the structures you ask for are sent to {url}. Names of patients, files and DICOM tags are not sent. The server keeps scans in memory while you use them. Send scans there?</source>
<translation>Les voxels de vos images, leur position et les structures demandées sont envoyés à {url}. Les noms de patients et de fichiers ainsi que les balises DICOM ne sont pas envoyés. Le serveur garde les images en mémoire tant que vous les utilisez. Y envoyer des images ?</translation>
</message>
<message>
<source>There is no segment to teach from. Draw the structure in the result's segmentation first.</source>
<translation>Aucun segment ne peut servir d'exemple. Dessinez d'abord la structure dans la segmentation du résultat.</translation>
</message>
<message>
<source>This computer</source>
<translation>Cet ordinateur</translation>
</message>
<message>
<source>Threshold of the probability</source>
<translation>Seuil de probabilité</translation>
</message>
<message>
<source>Threshold {value:.2f}</source>
<translation>Seuil {value:.2f}</translation>
</message>
<message>
<source>Threshold:</source>
<translation>Seuil :</translation>
</message>
<message>
<source>Token file:</source>
<translation>Fichier du jeton :</translation>
</message>
<message>
<source>Training</source>
<translation>Entraînement</translation>
</message>
<message>
<source>Try it as free text</source>
<translation>Essayer en texte libre</translation>
</message>
<message>
<source>Trying…</source>
<translation>Essai…</translation>
</message>
<message>
<source>Type a structure, such as left kidney</source>
<translation>Saisissez une structure, p. ex. rein gauche</translation>
</message>
<message>
<source>Undo</source>
<translation>Annuler l'action</translation>
</message>
<message>
<source>Undo removal</source>
<translation>Annuler la suppression</translation>
</message>
<message>
<source>Undo renaming</source>
<translation>Annuler le renommage</translation>
</message>
<message>
<source>Undo segmentation</source>
<translation>Annuler la segmentation</translation>
</message>
<message>
<source>Undo threshold</source>
<translation>Annuler le seuil</translation>
</message>
<message>
<source>Undo {step}</source>
<translation>Annuler {step}</translation>
</message>
<message>
<source>Undone: {step}.</source>
<translation>Annulé : {step}.</translation>
</message>
<message>
<source>Volume in millilitres.</source>
<translation>Volume en millilitres.</translation>
</message>
<message>
<source>What the structure is called in the language chosen in Settings.</source>
<translation>Le nom de la structure dans la langue choisie dans les paramètres.</translation>
</message>
<message>
<source>Where runs go</source>
<translation>Où les calculs sont exécutés</translation>
</message>
<message>
<source>Whether the structure was found, whether the scan's edge cuts it, and what speaks against it.</source>
<translation>Si la structure a été trouvée, si le bord de l'examen la coupe, et ce qui parle contre elle.</translation>
</message>
<message>
<source>Working. SATSegment {version}, models: {models}; devices: {devices}.</source>
<translation>Fonctionne. SATSegment {version}, modèles : {models} ; périphériques : {devices}.</translation>
</message>
<message>
<source>Writing the DICOM file…</source>
<translation>Écriture du fichier DICOM…</translation>
</message>
<message>
<source>Written: 1 structure.</source>
<translation>Écrit : 1 structure.</translation>
</message>
<message>
<source>Written: {count} structures.</source>
<translation>Écrit : {count} structures.</translation>
</message>
<message>
<source>back</source>
<translation>arrière</translation>
</message>
<message>
<source>cut by the scan's edges: {edges}</source>
<translation>coupée par les bords de l'image : {edges}</translation>
</message>
<message>
<source>cut by the scan's {edges} edge</source>
<translation>coupée par le bord {edges} de l'image</translation>
</message>
<message>
<source>finding</source>
<translation>anomalie</translation>
</message>
<message>
<source>found</source>
<translation>trouvée</translation>
</message>
<message>
<source>free text</source>
<translation>texte libre</translation>
</message>
<message>
<source>from DICOM</source>
<translation>d'après DICOM</translation>
</message>
<message>
<source>front</source>
<translation>avant</translation>
</message>
<message>
<source>guessed: no air at -1000, so not CT; choose PET if it is</source>
<translation>estimé : pas d'air à -1000, donc pas une TDM ; choisissez TEP si c'en est une</translation>
</message>
<message>
<source>guessed: values down to {low:.0f}, as Hounsfield units have</source>
<translation>estimé : valeurs jusqu'à {low:.0f}, comme en unités Hounsfield</translation>
</message>
<message>
<source>intensity</source>
<translation>intensité</translation>
</message>
<message>
<source>left</source>
<translation>gauche</translation>
</message>
<message>
<source>lower</source>
<translation>bas</translation>
</message>
<message>
<source>mL</source>
<translation>mL</translation>
</message>
<message>
<source>named as “{text}”</source>
<translation>nommée « {text} »</translation>
</message>
<message>
<source>not found</source>
<translation>non trouvée</translation>
</message>
<message>
<source>not in this model</source>
<translation>absente de ce modèle</translation>
</message>
<message>
<source>not in this scan</source>
<translation>absent de cet examen</translation>
</message>
<message>
<source>not kept</source>
<translation>non conservé</translation>
</message>
<message>
<source>not known to this model</source>
<translation>inconnu de ce modèle</translation>
</message>
<message>
<source>not trained in this modality</source>
<translation>non entraînée dans cette modalité</translation>
</message>
<message>
<source>of the past</source>
<translation>ancien</translation>
</message>
<message>
<source>only possible</source>
<translation>seulement possible</translation>
</message>
<message>
<source>outside its organ</source>
<translation>hors de son organe</translation>
</message>
<message>
<source>overlap</source>
<translation>chevauchement</translation>
</message>
<message>
<source>pieces far apart</source>
<translation>fragments éloignés</translation>
</message>
<message>
<source>removal of {structure}</source>
<translation>suppression de {structure}</translation>
</message>
<message>
<source>removed</source>
<translation>enlevée</translation>
</message>
<message>
<source>renaming to {name}</source>
<translation>renommage en {name}</translation>
</message>
<message>
<source>right</source>
<translation>droite</translation>
</message>
<message>
<source>s</source>
<translation>s</translation>
</message>
<message>
<source>said not to be there</source>
<translation>absent selon le compte rendu</translation>
</message>
<message>
<source>same mask</source>
<translation>même masque</translation>
</message>
<message>
<source>segmentation of {structures}</source>
<translation>segmentation de {structures}</translation>
</message>
<message>
<source>starting</source>
<translation>démarrage</translation>
</message>
<message>
<source>such as my implant</source>
<translation>p. ex. mon implant</translation>
</message>
<message>
<source>threshold of {structure}</source>
<translation>seuil de {structure}</translation>
</message>
<message>
<source>trained in this modality</source>
<translation>entraînée dans cette modalité</translation>
</message>
<message>
<source>upper</source>
<translation>haut</translation>
</message>
<message>
<source>volume</source>
<translation>volume</translation>
</message>
<message>
<source>without “{words}”</source>
<translation>sans « {words} »</translation>
</message>
<message>
<source>wrong place</source>
<translation>mauvais endroit</translation>
</message>
<message>
<source>wrong side</source>
<translation>mauvais côté</translation>
</message>
<message>
<source>{count} scans</source>
<translation>{count} examens</translation>
</message>
<message>
<source>{count} structures</source>
<translation>{count} structures</translation>
</message>
<message>
<source>{device} ran out of memory. Nothing was lost. Close other programs, choose a smaller model, or segment on the CPU.</source>
<translation>{device} a manqué de mémoire. Rien n’a été perdu. Fermez d’autres programmes, choisissez un modèle plus petit ou segmentez sur le CPU.</translation>
</message>
<message>
<source>{device}: {name}{size}, PyTorch {torch}. Working.</source>
<translation>{device} : {name}{size}, PyTorch {torch}. Fonctionne.</translation>
</message>
<message>
<source>{found} of {asked} found · {time} · {device}</source>
<translation>{found} sur {asked} trouvées · {time} · {device}</translation>
</message>
<message>
<source>{known} of {count} in this model</source>
<translation>{known} sur {count} dans ce modèle</translation>
</message>
<message>
<source>{modality} only</source>
<translation>{modality} uniquement</translation>
</message>
<message>
<source>{modality} taught</source>
<translation>{modality}, appris</translation>
</message>
<message>
<source>{model} (not installed)</source>
<translation>{model} (non installé)</translation>
</message>
<message>
<source>{model} (not on the server)</source>
<translation>{model} (absent du serveur)</translation>
</message>
<message>
<source>{model} is removed from this computer. To use it again, it must be downloaded or imported again.</source>
<translation>{model} est supprimé de cet ordinateur. Pour l'utiliser à nouveau, il faudra le télécharger ou l'importer.</translation>
</message>
<message>
<source>{model} was not trained on {name}. Choose another model in Settings to segment it.</source>
<translation>{model} n'a pas été entraîné sur {name}. Choisissez un autre modèle dans Paramètres pour le segmenter.</translation>
</message>
<message>
<source>{model} was not trained on {structures}. Choose another model in Settings, or they are left out.</source>
<translation>{model} n'a pas été entraîné sur {structures}. Choisissez un autre modèle dans Paramètres, sinon elles sont omises.</translation>
</message>
<message>
<source>{model} was not trained on {structure}. Choose another model in Settings and segment again, or remove the structure.</source>
<translation>{model} n'a pas été entraîné sur {structure}. Choisissez un autre modèle dans Paramètres et segmentez à nouveau, ou enlevez la structure.</translation>
</message>
<message>
<source>{names}: changed since then. These changes would be lost.</source>
<translation>{names} : modifié depuis. Ces modifications seraient perdues.</translation>
</message>
<message>
<source>{name} is already in the list.</source>
<translation>{name} existe déjà.</translation>
</message>
<message>
<source>{name} results</source>
<translation>Résultats de {name}</translation>
</message>
<message>
<source>{name}, {count} structures</source>
<translation>{name}, {count} structures</translation>
</message>
<message>
<source>{name}, {why}, will be left out</source>
<translation>{name}, {why}, sera omis</translation>
</message>
<message>
<source>{number} of {total} windows of the scan were looked at.</source>
<translation>{number} fenêtres de l'examen sur {total} ont été regardées.</translation>
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
<translation>{percent} %, comme SAT</translation>
</message>
<message>
<source>{refusal} What comes closest:</source>
<translation>{refusal} Le plus proche :</translation>
</message>
<message>
<source>{side} side in the report</source>
<translation>côté {side} dans le compte rendu</translation>
</message>
<message>
<source>{size} already downloaded.</source>
<translation>{size} sont déjà arrivés.</translation>
</message>
<message>
<source>{structures}: SAT knows it in {other} only, and {chosen} is chosen.</source>
<translation>{structures} : SAT ne le connaît qu'en {other}, et {chosen} est sélectionné.</translation>
</message>
<message>
<source>{structure} with threshold {threshold}: {now}, was {before} · {time}</source>
<translation>{structure} avec le seuil {threshold} : {now}, avant {before} · {time}</translation>
</message>
<message>
<source>{structure}: {status}. Highest probability {highest}. {model}, {device}, {precision}.</source>
<translation>{structure} : {status}. Probabilité maximale {highest}. {model}, {device}, {precision}.</translation>
</message>
<message>
<source>{volume} is {found} by its DICOM tags</source>
<translation>{volume} est {found} d'après ses attributs DICOM</translation>
</message>
<message>
<source>{volume} looks like {found}</source>
<translation>{volume} ressemble à {found}</translation>
</message>
<message>
<source>{volume} mL</source>
<translation>{volume} mL</translation>
</message>
<message>
<source>“{name}” can be asked for now: {quality} · {time}</source>
<translation>« {name} » peut maintenant être demandé : {quality} · {time}</translation>
</message>
<message>
<source>“{text}” cannot be segmented: {reason}.</source>
<translation>« {text} » ne peut pas être segmenté : {reason}.</translation>
</message>
<message>
<source>“{text}” may be {names}: {model} was not trained on these. Choose another model in Settings.</source>
<translation>« {text} » peut être {names} : {model} n'a pas été entraîné dessus. Choisissez un autre modèle dans Paramètres.</translation>
</message>
<message>
<source>“{text}”: did you mean</source>
<translation>« {text} » : vouliez-vous dire</translation>
</message>
<message>
<source>⚠ check: {reasons}</source>
<translation>⚠ à vérifier : {reasons}</translation>
</message>
</context>
</TS>
