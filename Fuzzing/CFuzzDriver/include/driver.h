#pragma once

/// The program's start: the package manager links an executable to this name, and libFuzzer does the rest.
int clawgrant_fuzz_main(int argc, char **argv);
