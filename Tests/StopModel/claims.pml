/*
 * What the models have in common: claims, and events that a search must meet.
 */

/* A run checks every claim, or the one whose number CHECK gives. */
#ifndef CHECK
#define CHECK 0
#endif
#define CLAIM(name, holds) assert((CHECK != 0 && CHECK != name) || (holds))

/* A claim can hold for want of anything happening. So the search names each of these events when it first meets it. */
c_decl {
    static void meet(const char *event) {
        static const char *met[16];
        int i = 0;
        while (i < 15 && met[i] && strcmp(met[i], event) != 0) { i++; }
        if (!met[i]) { met[i] = event; printf("met %s\n", event); }
    }
}
#define MET(event) c_code { meet(#event); }
