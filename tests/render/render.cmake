# A real Helios render: Node, Chromium and ffmpeg in the sandbox. tools/install-render installs the Node packages.
include(${CMAKE_CURRENT_LIST_DIR}/../support/support.cmake)

helios_black_box_test(render_tests ${CMAKE_CURRENT_LIST_DIR}/render_test.cc ${CMAKE_CURRENT_LIST_DIR}/studio.cc
  ${CMAKE_CURRENT_LIST_DIR}/weakness_test.cc LABELS render)
