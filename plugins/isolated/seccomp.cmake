# Seccomp filters, used by the isolated runner and by the tool that compiles the shipped policies. libseccomp's only
# home; linked statically, because the shared one would add to every start.
include_guard(GLOBAL)
find_library(HELIOS_SECCOMP_STATIC libseccomp.a REQUIRED)
set(seccomp_sources)
foreach(source bpf seccomp_hardening seccomp_profile seccomp_program seccomp_store)
  list(APPEND seccomp_sources ${CMAKE_CURRENT_LIST_DIR}/${source}.cc)
endforeach()
helios_library(helios_seccomp ${seccomp_sources} LIBS helios_sys helios_digest)
target_link_libraries(helios_seccomp PRIVATE nlohmann_json::nlohmann_json ${HELIOS_SECCOMP_STATIC})

# What a compiled filter in a cache was made by. Hand-kept, it would be forgotten, and a stale filter would stay in force.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${seccomp_sources})
set(seccomp_fingerprint)
foreach(file ${seccomp_sources} ${HELIOS_SECCOMP_STATIC})
  file(SHA256 ${file} digest)
  string(APPEND seccomp_fingerprint ${digest})
endforeach()
string(SHA256 seccomp_fingerprint ${seccomp_fingerprint})
string(SUBSTRING ${seccomp_fingerprint} 0 8 seccomp_fingerprint)
target_compile_definitions(helios_seccomp PRIVATE HELIOS_FILTER_COMPILER=0x${seccomp_fingerprint}U)
