# The few helpers that keep the CMakeLists of the parts short. All of them make ordinary targets.

set(TROVE_SANITIZE "" CACHE STRING "Sanitizers for our own code, as for -fsanitize=")

# Optimisation is set here and not by the build type, so that generated code is compiled with the
# same flags in every tree and the compiler cache builds it once.
set(CMAKE_CXX_FLAGS_RELEASE "")
set(CMAKE_CXX_FLAGS_DEBUG "")
set(CMAKE_C_FLAGS_RELEASE "")
set(CMAKE_C_FLAGS_DEBUG "")

# What the compiler cache needs to see through a precompiled header, and -pthread everywhere, as
# some libraries ask for it and a header precompiled without it is of no use with it.
add_library(trove_pch_flags INTERFACE)
target_compile_options(trove_pch_flags INTERFACE -fpch-preprocess -pthread)

# For generated code: optimised a little, no warnings that we could not mend.
add_library(trove_generated_options INTERFACE)
target_compile_options(trove_generated_options INTERFACE -O1 -g1)
target_link_libraries(trove_generated_options INTERFACE trove_pch_flags)

# For our own code.
add_library(trove_options INTERFACE)
add_library(trove::options ALIAS trove_options)
target_compile_options(trove_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow=local -Wnon-virtual-dtor -Wno-missing-field-initializers
  $<IF:$<CONFIG:Release>,-O1;-g1,-O0;-g>)
target_link_options(trove_options INTERFACE -fuse-ld=lld)
if(TROVE_SANITIZE)  # not a generator expression: the list of sanitizers has commas
  target_compile_options(trove_options INTERFACE
    -fsanitize=${TROVE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(trove_options INTERFACE -fsanitize=${TROVE_SANITIZE})
endif()
target_link_libraries(trove_options INTERFACE trove_pch_flags)

# The gRPC headers, parsed once for every target of ours that includes them:
#   target_precompile_headers(<target> REUSE_FROM trove_grpc_pch)
file(WRITE ${PROJECT_BINARY_DIR}/pch/grpc_pch.cc "")
add_library(trove_grpc_pch OBJECT ${PROJECT_BINARY_DIR}/pch/grpc_pch.cc)
target_link_libraries(trove_grpc_pch PRIVATE trove::options gRPC::grpc++ absl::statusor)
target_precompile_headers(trove_grpc_pch PRIVATE
  <functional> <map> <memory> <optional> <string> <string_view> <vector>
  <absl/status/statusor.h> <absl/time/time.h> <grpcpp/grpcpp.h>)

# The test framework, parsed once for every test.
file(WRITE ${PROJECT_BINARY_DIR}/pch/test_main.cc
  "#define CATCH_CONFIG_MAIN\n#include <catch2/catch.hpp>\n")
add_library(trove_test_main STATIC ${PROJECT_BINARY_DIR}/pch/test_main.cc)
target_link_libraries(trove_test_main PRIVATE trove::options PUBLIC Catch2::Catch2)
set_source_files_properties(${PROJECT_BINARY_DIR}/pch/test_main.cc PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
file(WRITE ${PROJECT_BINARY_DIR}/pch/test_pch.cc "")
add_library(trove_test_pch OBJECT ${PROJECT_BINARY_DIR}/pch/test_pch.cc)
target_link_libraries(trove_test_pch PRIVATE trove::options Catch2::Catch2 absl::statusor)
target_precompile_headers(trove_test_pch PRIVATE
  <functional> <map> <memory> <optional> <string> <string_view> <vector>
  <absl/status/statusor.h> <absl/time/time.h> <catch2/catch.hpp>)

include(Catch)

# All tests of one label, for building them alone: ninja trove_unit_tests
foreach(label unit integration e2e)
  add_custom_target(trove_${label}_tests)
endforeach()

# trove_add_test(<name> LABEL unit|integration|e2e SOURCES a.cc … LINK lib … [TIMEOUT seconds] [SERIAL])
# One executable; each TEST_CASE is one ctest test. SERIAL: it measures time or loads the machine,
# so that no other test runs beside it. A name that selects no test case fails (NoTests).
function(trove_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "SERIAL" "LABEL;TIMEOUT" "SOURCES;LINK")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE trove::options trove_test_main ${arg_LINK})
  target_precompile_headers(${name} REUSE_FROM trove_test_pch)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/test)
  add_dependencies(trove_${arg_LABEL}_tests ${name})
  catch_discover_tests(${name}
    TEST_PREFIX "${name}: "
    EXTRA_ARGS --warn NoTests
    PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT} RUN_SERIAL ${arg_SERIAL})
endfunction()

# trove_proto_library(<name> PROTOS a.proto … [GRPC_PROTOS b.proto …] [LINK lib …] [ROOT folder])
# Paths are relative to protos/, or to ROOT. Files with a service go under GRPC_PROTOS.
function(trove_proto_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "ROOT" "PROTOS;GRPC_PROTOS;LINK")
  set(root ${PROJECT_SOURCE_DIR}/protos)
  if(arg_ROOT)
    set(root ${arg_ROOT})
  endif()
  set(out ${PROJECT_BINARY_DIR}/gen)
  file(MAKE_DIRECTORY ${out})
  set(sources)
  foreach(proto IN LISTS arg_PROTOS arg_GRPC_PROTOS)
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    set(generated ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
    set(grpc_arguments)
    if(proto IN_LIST arg_GRPC_PROTOS)
      list(APPEND generated ${out}/${stem}.grpc.pb.cc ${out}/${stem}.grpc.pb.h)
      set(grpc_arguments --grpc_out=${out} --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>)
      set_source_files_properties(${out}/${stem}.pb.cc PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
    endif()
    add_custom_command(
      OUTPUT ${generated}
      COMMAND protobuf::protoc -I ${root} -I ${Protobuf_INCLUDE_DIRS} --cpp_out=${out} ${grpc_arguments} ${proto}
      DEPENDS ${root}/${proto}
      WORKING_DIRECTORY ${root}
      COMMENT "protoc ${proto}"
      VERBATIM)
    list(APPEND sources ${generated})
  endforeach()
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} SYSTEM PUBLIC ${out})
  target_link_libraries(${name}
    PUBLIC protobuf::libprotobuf ${arg_LINK} PRIVATE trove_generated_options)
  if(arg_GRPC_PROTOS)
    target_link_libraries(${name} PUBLIC gRPC::grpc++)
    target_precompile_headers(${name} PRIVATE <grpcpp/grpcpp.h>)
    foreach(proto IN LISTS arg_PROTOS)
      string(REGEX REPLACE "\\.proto$" "" stem ${proto})
      set_source_files_properties(${out}/${stem}.pb.cc PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
    endforeach()
  endif()
endfunction()
