import CLibPQ

/// Owner of a `PGconn`. Used by one thread only: libpq allows one thread at a time per connection.
@safe struct ConnectionHandle: ~Copyable {
    // Private, never handed out: the pointer is valid for as long as this value lives.
    private let raw: OpaquePointer

    enum ConnectProgress { case wantsRead, wantsWrite, done, failed }
    enum FlushProgress { case done, pending, failed }
    enum TransactionStatus { case idle, active, inTransaction, failed, unknown }

    /// Begins to connect without waiting.
    init(keywords: [(String, String)], notices: NoticeSink) throws(PostgresError) {
        let names = CStringArray(keywords.map(\.0))
        let values = CStringArray(keywords.map(\.1))
        let started = unsafe names.lend { names in
            unsafe values.lend { values in unsafe PQconnectStartParams(names, values, 0) }
        }
        guard let raw = unsafe started else { throw PostgresError(.connectionLost, "libpq is out of memory") }
        unsafe self.raw = raw
        // Before the connection is made there is no other way to learn the server's SQLSTATE than its verbose text.
        unsafe PQsetErrorVerbosity(raw, PQERRORS_VERBOSE)
        // The sink outlives the connection: the driver that owns this handle owns the sink as well.
        unsafe PQsetNoticeReceiver(
            raw, { sink, result in unsafe NoticeSink.receive(sink, result) },
            Unmanaged.passUnretained(notices).toOpaque())
    }

    deinit { unsafe PQfinish(raw) }

    var isBad: Bool { unsafe PQstatus(raw) == CONNECTION_BAD }
    var socket: Int32 { unsafe PQsocket(raw) }
    var processID: Int32 { unsafe PQbackendPID(raw) }
    var errorMessage: String { unsafe PQerrorMessage(raw).map { unsafe String(cString: $0) } ?? "" }
    var needsPassword: Bool { unsafe PQconnectionNeedsPassword(raw) == 1 }

    func connectProgress() -> ConnectProgress {
        switch unsafe PQconnectPoll(raw) {
        case PGRES_POLLING_READING: .wantsRead
        case PGRES_POLLING_WRITING: .wantsWrite
        case PGRES_POLLING_OK: .done
        default: .failed
        }
    }

    /// Prepares a fresh connection for the driver.
    func finishConnecting() -> Bool {
        unsafe PQsetErrorVerbosity(raw, PQERRORS_DEFAULT)
        return unsafe PQsetnonblocking(raw, 1) == 0
    }

    var transactionStatus: TransactionStatus {
        switch unsafe PQtransactionStatus(raw) {
        case PQTRANS_IDLE: .idle
        case PQTRANS_ACTIVE: .active
        case PQTRANS_INTRANS: .inTransaction
        case PQTRANS_INERROR: .failed
        default: .unknown
        }
    }

    func enterPipeline() -> Bool { unsafe PQenterPipelineMode(raw) == 1 }
    func exitPipeline() -> Bool { unsafe PQexitPipelineMode(raw) == 1 }
    func sendSync() -> Bool { unsafe PQpipelineSync(raw) == 1 }
    func sendSimple(_ sql: String) -> Bool { unsafe PQsendQuery(raw, sql) == 1 }

    func sendCommand(_ sql: String) -> Bool {
        unsafe PQsendQueryParams(raw, sql, 0, nil, nil, nil, nil, 1) == 1
    }

    func sendPrepare(_ statement: PreparedStatement) -> Bool {
        let types = statement.parameterTypes.map(\.rawValue)
        return unsafe types.withUnsafeBufferPointer { (types: UnsafeBufferPointer<UInt32>) in
            unsafe PQsendPrepare(
                raw, statement.name, statement.sql, Int32(types.count), types.baseAddress) == 1
        }
    }

    func sendExecute(_ statement: PreparedStatement, _ parameters: Parameters) -> Bool {
        let count = parameters.count
        return unsafe parameters.arena.withUnsafeBytes { (arena: UnsafeRawBufferPointer) in
            unsafe withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: count) { values in
                unsafe withUnsafeTemporaryAllocation(of: Int32.self, capacity: 2 * count) { numbers in
                    for index in 0..<count {
                        let slot = parameters.slots[index]
                        let start = unsafe slot.length > 0 ? arena.baseAddress?.advanced(by: slot.offset) : nil
                        let value = unsafe start?.assumingMemoryBound(to: CChar.self)
                        // An empty value needs an address too: libpq takes a null pointer for null.
                        unsafe values.initializeElement(
                            at: index, to: slot.length == 0 ? Self.empty : value)
                        unsafe numbers.initializeElement(at: index, to: Int32(max(slot.length, 0)))
                        unsafe numbers.initializeElement(at: count + index, to: 1)
                    }
                    let lengths = unsafe UnsafePointer(numbers.baseAddress)
                    return unsafe PQsendQueryPrepared(
                        raw, statement.name, Int32(count), UnsafePointer(values.baseAddress), lengths,
                        lengths?.advanced(by: count), 1) == 1
                }
            }
        }
    }

    /// An address that is not null and of which nothing is read.
    @unsafe private static var empty: UnsafePointer<CChar>? { unsafe UnsafePointer(bitPattern: 1) }

    func flush() -> FlushProgress {
        switch unsafe PQflush(raw) {
        case 0: .done
        case 1: .pending
        default: .failed
        }
    }

    func consumeInput() -> Bool { unsafe PQconsumeInput(raw) == 1 }
    var isBusy: Bool { unsafe PQisBusy(raw) == 1 }
    func nextResult() -> PostgresResult? { unsafe PQgetResult(raw).map { unsafe PostgresResult(owning: $0) } }

    func nextNotification() -> PostgresNotification? {
        guard let raw = unsafe PQnotifies(raw) else { return nil }
        defer { unsafe PQfreemem(raw) }
        guard let channel = unsafe raw.pointee.relname else { return nil }
        let payload = unsafe raw.pointee.extra.map { unsafe String(cString: $0) }
        return unsafe PostgresNotification(
            channel: String(cString: channel), payload: payload ?? "", backendProcessID: raw.pointee.be_pid)
    }

    func cancelHandle() -> CancelHandle? {
        unsafe PQgetCancel(raw).map { unsafe CancelHandle(owning: $0) }
    }
}

/// Owner of a `PGcancel`.
@safe final class CancelHandle: @unchecked Sendable {
    // Safe to share: the manual says that PQcancel may be called from another thread than the one that uses the
    // connection, and the object holds what it needs by itself.
    private let raw: OpaquePointer

    init(owning raw: OpaquePointer) { unsafe self.raw = raw }
    deinit { unsafe PQfreeCancel(raw) }

    /// Asks the server to cancel what the connection runs. Connects to the server, so it blocks; returns once the
    /// server has closed that second connection, which is after it signalled the backend.
    func send() {
        var message = [CChar](repeating: 0, count: 256)
        _ = unsafe PQcancel(raw, &message, Int32(message.count))
    }
}

/// Receives the server's notices and warnings on the driver's thread.
final class NoticeSink {
    private let handle: (String, SQLState?, String) -> Void

    init(_ handle: @escaping (String, SQLState?, String) -> Void) { self.handle = handle }

    /// Called by libpq with the sink that was given to it, and a result that libpq clears itself.
    @unsafe
    static func receive(_ sink: UnsafeMutableRawPointer?, _ result: OpaquePointer?) {
        guard let sink = unsafe sink, let result = unsafe result else { return }
        func field(_ code: Character) -> String? {
            guard let code = code.asciiValue, let text = unsafe PQresultErrorField(result, Int32(code)) else {
                return nil
            }
            return unsafe String(cString: text)
        }
        let severity = field("V") ?? field("S") ?? "NOTICE"
        let whole = unsafe PQresultErrorMessage(result).map { unsafe String(cString: $0) }
        let message = field("M") ?? whole ?? ""
        unsafe Unmanaged<NoticeSink>.fromOpaque(sink).takeUnretainedValue()
            .handle(severity, field("C").flatMap { SQLState(rawValue: $0) }, PostgresError.oneLine(message))
    }
}

/// A null-terminated array of C strings that lives as long as this value.
@safe private struct CStringArray: ~Copyable {
    private let storage: UnsafeMutableBufferPointer<UnsafePointer<CChar>?>

    init(_ strings: [String]) {
        unsafe storage = .allocate(capacity: strings.count + 1)
        for (index, string) in strings.enumerated() {
            let bytes = string.utf8CString
            let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: bytes.count)
            _ = unsafe copy.initialize(from: bytes)
            unsafe storage.initializeElement(at: index, to: UnsafePointer(copy.baseAddress))
        }
        unsafe storage.initializeElement(at: strings.count, to: nil)
    }

    deinit {
        for index in 0..<(unsafe storage.count) { unsafe storage[index]?.deallocate() }
        unsafe storage.deallocate()
    }

    /// Lends the array, which is valid during the call.
    @unsafe
    borrowing func lend<Result>(_ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Result) -> Result {
        unsafe body(UnsafePointer(storage.baseAddress))
    }
}
