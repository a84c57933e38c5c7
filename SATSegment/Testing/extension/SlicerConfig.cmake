# Stands in for Slicer's build tree in the install test: the names that an extension uses, and of
# slicerMacroBuildScriptedModule what can be seen from outside (Slicer, CMake/SlicerMacroBuildScriptedModule.cmake and
# ctkMacroCompilePythonScript): each listed file must exist, and goes with its folder to the scripted modules' place.
set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/GenerateConfig.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/CPack.cmake)
