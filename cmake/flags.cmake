# Compiler and linker flags of Prism's own code.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

# NDEBUG is never set: assertions stay on in release builds.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O1 -g")
set(CMAKE_CXX_FLAGS_RELEASE "-Os -g1") # none of it is on a hot path
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")

find_program(PRISM_CCACHE ccache)
if(PRISM_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${PRISM_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${PRISM_CCACHE})
endif()

add_compile_definitions(_GNU_SOURCE)
add_compile_options(-fno-omit-frame-pointer -fno-strict-aliasing -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)

# Linked into everything under src/ and tests/, and not into third-party sources.
add_library(prism_warnings INTERFACE)
target_compile_options(prism_warnings INTERFACE -Wall -Wextra -Werror -Wshadow
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition> -Wvla -Wformat=2 -Wwrite-strings
  -Wpointer-arith -Wundef -Wno-missing-field-initializers -Wno-format-nonliteral)

if(PRISM_SANITIZE)
  add_compile_options(-fsanitize=${PRISM_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PRISM_SANITIZE})
  if(PRISM_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
  endif()
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection)
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    add_compile_options(-fcf-protection)
  endif()
  add_link_options(-Wl,-z,relro,-z,now -Wl,--gc-sections)
  add_compile_options(-ffunction-sections -fdata-sections)
elseif(CMAKE_C_COMPILER_ID STREQUAL "GNU") # a shipped binary depends on no optional linker
  find_program(PRISM_MOLD NAMES mold)
  if(PRISM_MOLD)
    add_link_options(-fuse-ld=mold)
  endif()
else()
  find_program(PRISM_LLD NAMES ld.lld-14 ld.lld)
  if(PRISM_LLD)
    add_link_options(-fuse-ld=lld)
  endif()
endif()
