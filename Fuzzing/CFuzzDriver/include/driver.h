#pragma once

/// The programs' starts: the package manager links each executable to a name made of its own, and libFuzzer does the rest.
int clawgrant_fuzz_main(int argc, char **argv);
int clawgrant_fuzz_surface_main(int argc, char **argv);
