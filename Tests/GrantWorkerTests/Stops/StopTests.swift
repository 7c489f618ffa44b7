import DevStack
import Testing

/// Stops, revocations and the rows of the rollback table against real worker processes, a real PostgreSQL and a broker.
///
/// Each test ends with the checker, which proves from topics and ledger that a stop was a line.
@Suite(
    .enabled(if: AvailableServers.postgres && AvailableServers.broker(.noida), "PostgreSQL or noida-db is missing"),
    .enabled(if: WorkerProgram.path != nil, "the program clawgrant is not built"), .serialized,
    .timeLimit(.minutes(4)))
enum StopTests {}
