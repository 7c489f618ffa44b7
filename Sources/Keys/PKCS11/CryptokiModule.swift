import CCryptoki
import Glibc
import Primitives

/// A PKCS#11 call that did not return `CKR_OK`.
struct CryptokiFailure: Error {
    /// The function's name in the standard.
    let function: String
    /// What it returned.
    let code: CK_RV

    /// True when sessions, login or object handles are gone, and opening anew may bring them back.
    var losesConnection: Bool {
        [
            CKR_SESSION_CLOSED, CKR_SESSION_HANDLE_INVALID, CKR_USER_NOT_LOGGED_IN, CKR_KEY_HANDLE_INVALID,
            CKR_OBJECT_HANDLE_INVALID, CKR_DEVICE_REMOVED, CKR_DEVICE_ERROR, CKR_TOKEN_NOT_PRESENT,
            CKR_TOKEN_NOT_RECOGNIZED,
        ].contains(code)
    }

    /// True when the same call may succeed later.
    var mayPass: Bool {
        losesConnection
            || [
                CKR_HOST_MEMORY, CKR_DEVICE_MEMORY, CKR_SESSION_COUNT, CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED,
            ].contains(code)
    }

    /// The function and the return value by its name in the standard.
    var text: String { "\(function) returned \(name)" }

    private var name: String {
        switch code {
        case CKR_HOST_MEMORY: "CKR_HOST_MEMORY"
        case CKR_GENERAL_ERROR: "CKR_GENERAL_ERROR"
        case CKR_FUNCTION_FAILED: "CKR_FUNCTION_FAILED"
        case CKR_ARGUMENTS_BAD: "CKR_ARGUMENTS_BAD"
        case CKR_CANT_LOCK: "CKR_CANT_LOCK"
        case CKR_DEVICE_ERROR: "CKR_DEVICE_ERROR"
        case CKR_DEVICE_MEMORY: "CKR_DEVICE_MEMORY"
        case CKR_DEVICE_REMOVED: "CKR_DEVICE_REMOVED"
        case CKR_FUNCTION_NOT_SUPPORTED: "CKR_FUNCTION_NOT_SUPPORTED"
        case CKR_KEY_HANDLE_INVALID: "CKR_KEY_HANDLE_INVALID"
        case CKR_KEY_TYPE_INCONSISTENT: "CKR_KEY_TYPE_INCONSISTENT"
        case CKR_KEY_FUNCTION_NOT_PERMITTED: "CKR_KEY_FUNCTION_NOT_PERMITTED"
        case CKR_MECHANISM_INVALID: "CKR_MECHANISM_INVALID"
        case CKR_OBJECT_HANDLE_INVALID: "CKR_OBJECT_HANDLE_INVALID"
        case CKR_PIN_INCORRECT: "CKR_PIN_INCORRECT"
        case CKR_PIN_INVALID: "CKR_PIN_INVALID"
        case CKR_PIN_LEN_RANGE: "CKR_PIN_LEN_RANGE"
        case CKR_PIN_EXPIRED: "CKR_PIN_EXPIRED"
        case CKR_PIN_LOCKED: "CKR_PIN_LOCKED"
        case CKR_SESSION_CLOSED: "CKR_SESSION_CLOSED"
        case CKR_SESSION_COUNT: "CKR_SESSION_COUNT"
        case CKR_SESSION_HANDLE_INVALID: "CKR_SESSION_HANDLE_INVALID"
        case CKR_TOKEN_NOT_PRESENT: "CKR_TOKEN_NOT_PRESENT"
        case CKR_TOKEN_NOT_RECOGNIZED: "CKR_TOKEN_NOT_RECOGNIZED"
        case CKR_USER_NOT_LOGGED_IN: "CKR_USER_NOT_LOGGED_IN"
        case CKR_USER_PIN_NOT_INITIALIZED: "CKR_USER_PIN_NOT_INITIALIZED"
        case CKR_USER_ANOTHER_ALREADY_LOGGED_IN: "CKR_USER_ANOTHER_ALREADY_LOGGED_IN"
        case CKR_BUFFER_TOO_SMALL: "CKR_BUFFER_TOO_SMALL"
        case CKR_CRYPTOKI_NOT_INITIALIZED: "CKR_CRYPTOKI_NOT_INITIALIZED"
        default: "0x" + String(code, radix: 16)
        }
    }
}

/// A loaded PKCS#11 module, initialised for use from several threads. Loaded once for each path and never unloaded:
/// a module serves the whole process, and others in it may use it too.
@safe final class CryptokiModule: @unchecked Sendable {
    // Safe to send: every property is constant, and the functions were asked for with CKF_OS_LOCKING_OK, which obliges
    // the module to guard itself (PKCS #11 2.40, section 5.4).
    private let functions: Functions

    @unsafe private struct Functions {
        let getSlotList:
            @convention(c) (
                CK_BBOOL, UnsafeMutablePointer<CK_SLOT_ID>?, UnsafeMutablePointer<CK_ULONG>?
            ) -> CK_RV
        let getTokenInfo: @convention(c) (CK_SLOT_ID, UnsafeMutablePointer<CK_TOKEN_INFO>?) -> CK_RV
        let openSession:
            @convention(c) (
                CK_SLOT_ID, CK_FLAGS, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?,
                UnsafeMutablePointer<CK_SESSION_HANDLE>?
            ) -> CK_RV
        let closeSession: @convention(c) (CK_SESSION_HANDLE) -> CK_RV
        let login: @convention(c) (CK_SESSION_HANDLE, CK_ULONG, UnsafePointer<CK_BYTE>?, CK_ULONG) -> CK_RV
        let getAttributeValue:
            @convention(c) (
                CK_SESSION_HANDLE, CK_OBJECT_HANDLE, UnsafeMutablePointer<CK_ATTRIBUTE>?, CK_ULONG
            ) -> CK_RV
        let findObjectsInit: @convention(c) (CK_SESSION_HANDLE, UnsafePointer<CK_ATTRIBUTE>?, CK_ULONG) -> CK_RV
        let findObjects:
            @convention(c) (
                CK_SESSION_HANDLE, UnsafeMutablePointer<CK_OBJECT_HANDLE>?, CK_ULONG, UnsafeMutablePointer<CK_ULONG>?
            ) -> CK_RV
        let findObjectsFinal: @convention(c) (CK_SESSION_HANDLE) -> CK_RV
        let signInit: @convention(c) (CK_SESSION_HANDLE, UnsafePointer<CK_MECHANISM>?, CK_OBJECT_HANDLE) -> CK_RV
        let sign:
            @convention(c) (
                CK_SESSION_HANDLE, UnsafePointer<CK_BYTE>?, CK_ULONG, UnsafeMutablePointer<CK_BYTE>?,
                UnsafeMutablePointer<CK_ULONG>?
            ) -> CK_RV
    }

    /// The class of an object.
    enum ObjectClass: CK_ULONG {
        case publicKey = 2
        case privateKey = 3
    }

    private static let loaded = Lock<[String: CryptokiModule]>([:])

    /// The module at a path, loaded and initialised on first use.
    static func shared(path: String) throws(KeyError) -> CryptokiModule {
        // Held while the module loads, which only happens at start: two first uses must not initialise it twice.
        try loaded.withLock { (modules: inout [String: CryptokiModule]) throws(KeyError) -> CryptokiModule in
            if let module = modules[path] { return module }
            let module = try CryptokiModule(loading: path)
            modules[path] = module
            return module
        }
    }

    private init(loading path: String) throws(KeyError) {
        try Self.checkFile(path)
        guard let library = unsafe dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            let reason = unsafe dlerror().map { unsafe String(cString: $0) } ?? "no reason given"
            throw Self.unavailable(path, "it cannot be loaded: \(reason)")
        }
        guard let symbol = unsafe dlsym(library, "C_GetFunctionList") else {
            throw Self.unavailable(path, "this library is not a PKCS#11 module: it has no C_GetFunctionList")
        }
        // dlsym gives an untyped address; the standard fixes the function's type.
        let getList = unsafe unsafeBitCast(
            symbol, to: (@convention(c) (UnsafeMutablePointer<UnsafeMutablePointer<CK_FUNCTION_LIST>?>?) -> CK_RV).self)
        var list: UnsafeMutablePointer<CK_FUNCTION_LIST>?
        let result = unsafe getList(&list)
        guard result == CKR_OK, let table = unsafe list?.pointee,
            let initialize = unsafe table.C_Initialize, let getSlotList = unsafe table.C_GetSlotList,
            let getTokenInfo = unsafe table.C_GetTokenInfo, let openSession = unsafe table.C_OpenSession,
            let closeSession = table.C_CloseSession, let login = unsafe table.C_Login,
            let getAttributeValue = unsafe table.C_GetAttributeValue,
            let findObjectsInit = unsafe table.C_FindObjectsInit, let findObjects = unsafe table.C_FindObjects,
            let findObjectsFinal = table.C_FindObjectsFinal, let signInit = unsafe table.C_SignInit,
            let sign = unsafe table.C_Sign
        else { throw Self.unavailable(path, "the module gave no complete table of functions") }
        unsafe functions = Functions(
            getSlotList: getSlotList, getTokenInfo: getTokenInfo, openSession: openSession, closeSession: closeSession,
            login: login, getAttributeValue: getAttributeValue, findObjectsInit: findObjectsInit,
            findObjects: findObjects, findObjectsFinal: findObjectsFinal, signInit: signInit, sign: sign)
        var arguments = unsafe CK_C_INITIALIZE_ARGS()
        unsafe arguments.flags = CKF_OS_LOCKING_OK
        let initialized = unsafe initialize(&arguments)
        guard initialized == CKR_OK || initialized == CKR_CRYPTOKI_ALREADY_INITIALIZED else {
            let failure = CryptokiFailure(function: "C_Initialize", code: initialized)
            throw Self.unavailable(path, "it cannot be initialised for several threads: \(failure.text)")
        }
    }

    /// A module is code in this process: whoever can change its file can sign with every key.
    private static func checkFile(_ path: String) throws(KeyError) {
        guard path.hasPrefix("/") else {
            throw unavailable(path, "a module is named by its absolute path, not searched for")
        }
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw unavailable(path, SystemFailure.text(errno)) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw unavailable(path, "this is not a regular file") }
        guard status.st_uid == 0 || status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
            let mode = String(status.st_mode & 0o7777, radix: 8)
            throw unavailable(path, "others can change the file (user \(status.st_uid), mode 0\(mode))")
        }
    }

    private static func unavailable(_ path: String, _ finding: String) -> KeyError {
        KeyError(
            .moduleUnavailable, path, finding,
            remedy: "give the absolute path of the PKCS#11 module, owned by root and writable by its owner only")
    }

    private static func check(_ function: String, _ code: CK_RV) throws(CryptokiFailure) {
        guard code == CKR_OK else { throw CryptokiFailure(function: function, code: code) }
    }

    /// The slots that hold an initialised token with the label, with the token's flags.
    func slots(tokenLabel: String) throws(CryptokiFailure) -> [(slot: CK_SLOT_ID, flags: CK_FLAGS)] {
        var count: CK_ULONG = 0
        try Self.check("C_GetSlotList", unsafe functions.getSlotList(1, nil, &count))
        // Room for tokens that are plugged in between the two calls.
        var slots = [CK_SLOT_ID](repeating: 0, count: Int(min(count, 4_096)) + 8)
        count = CK_ULONG(slots.count)
        let listed = unsafe slots.withUnsafeMutableBufferPointer { buffer in
            unsafe functions.getSlotList(1, buffer.baseAddress, &count)
        }
        try Self.check("C_GetSlotList", listed)
        var found: [(slot: CK_SLOT_ID, flags: CK_FLAGS)] = []
        for slot in slots.prefix(Int(count)) {
            var info = CK_TOKEN_INFO()
            // A slot whose token cannot be asked is another token's trouble, not this key's.
            guard unsafe functions.getTokenInfo(slot, &info) == CKR_OK, info.flags & CKF_TOKEN_INITIALIZED != 0 else {
                continue
            }
            let padded = unsafe withUnsafeBytes(of: &info.label) { unsafe Array($0) }
            guard let last = padded.lastIndex(where: { $0 != 0x20 && $0 != 0 }) else { continue }
            if String(validating: padded[...last], as: UTF8.self) == tokenLabel { found.append((slot, info.flags)) }
        }
        return found
    }

    /// Opens a read-only session.
    func openSession(_ slot: CK_SLOT_ID) throws(CryptokiFailure) -> CK_SESSION_HANDLE {
        var session: CK_SESSION_HANDLE = 0
        try Self.check("C_OpenSession", unsafe functions.openSession(slot, CKF_SERIAL_SESSION, nil, nil, &session))
        return session
    }

    /// Closes a session; a failure leaves nothing to do.
    func closeSession(_ session: CK_SESSION_HANDLE) { _ = unsafe functions.closeSession(session) }

    /// Logs the process in to the session's token as its user; being logged in already is fine.
    func login(_ session: CK_SESSION_HANDLE, pin: SecretBytes) throws(CryptokiFailure) {
        let result = unsafe pin.withUnsafeBytes { bytes in
            unsafe functions.login(
                session, CKU_USER, bytes.assumingMemoryBound(to: CK_BYTE.self).baseAddress, CK_ULONG(bytes.count))
        }
        guard result != CKR_USER_ALREADY_LOGGED_IN else { return }
        try Self.check("C_Login", result)
    }

    /// At most two objects of a class with a label or id: two are enough to know that the name is ambiguous.
    func objects(
        _ session: CK_SESSION_HANDLE, _ objectClass: ObjectClass, named name: PKCS11Location.KeyName
    ) throws(CryptokiFailure) -> [CK_OBJECT_HANDLE] {
        var classValue = objectClass.rawValue
        let (attribute, value): (CK_ATTRIBUTE_TYPE, [UInt8]) =
            switch name {
            case .label(let label): (CKA_LABEL, Array(label.utf8))
            case .id(let id): (CKA_ID, id)
            }
        var nameValue = value
        let started = unsafe withUnsafeMutableBytes(of: &classValue) { classBytes in
            unsafe nameValue.withUnsafeMutableBytes { nameBytes in
                let template = unsafe [
                    CK_ATTRIBUTE(
                        type: CKA_CLASS, pValue: classBytes.baseAddress, ulValueLen: CK_ULONG(classBytes.count)),
                    CK_ATTRIBUTE(type: attribute, pValue: nameBytes.baseAddress, ulValueLen: CK_ULONG(nameBytes.count)),
                ]
                return unsafe functions.findObjectsInit(session, template, CK_ULONG(template.count))
            }
        }
        try Self.check("C_FindObjectsInit", started)
        defer { _ = unsafe functions.findObjectsFinal(session) }
        var handles: [CK_OBJECT_HANDLE] = [0, 0]
        var found: CK_ULONG = 0
        let searched = unsafe handles.withUnsafeMutableBufferPointer { buffer in
            unsafe functions.findObjects(session, buffer.baseAddress, CK_ULONG(buffer.count), &found)
        }
        try Self.check("C_FindObjects", searched)
        return Array(handles.prefix(Int(found)))
    }

    /// The value of an object's attribute, at most 256 bytes; `nil` when the object has none or does not show it.
    func attribute(
        _ session: CK_SESSION_HANDLE, _ object: CK_OBJECT_HANDLE, _ type: CK_ATTRIBUTE_TYPE
    ) throws(CryptokiFailure) -> [UInt8]? {
        var value = [UInt8](repeating: 0, count: 256)
        var length: CK_ULONG = 0
        let result = unsafe value.withUnsafeMutableBytes { bytes in
            var attribute = unsafe CK_ATTRIBUTE(
                type: type, pValue: bytes.baseAddress, ulValueLen: CK_ULONG(bytes.count))
            let result = unsafe functions.getAttributeValue(session, object, &attribute, 1)
            length = unsafe attribute.ulValueLen
            return result
        }
        if result == CKR_ATTRIBUTE_TYPE_INVALID || result == CKR_ATTRIBUTE_SENSITIVE { return nil }
        try Self.check("C_GetAttributeValue", result)
        guard length <= CK_ULONG(value.count) else { return nil }
        return Array(value.prefix(Int(length)))
    }

    /// A number among an object's attributes.
    func number(
        _ session: CK_SESSION_HANDLE, _ object: CK_OBJECT_HANDLE, _ type: CK_ATTRIBUTE_TYPE
    ) throws(CryptokiFailure) -> CK_ULONG? {
        guard let bytes = try attribute(session, object, type), bytes.count == MemoryLayout<CK_ULONG>.size else {
            return nil
        }
        return unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: CK_ULONG.self) }
    }

    /// Signs with pure Ed25519 (`CKM_EDDSA` without parameters, RFC 8032). After a failure the session may be in the
    /// middle of an operation: close it.
    func sign(
        _ session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE, _ message: [UInt8]
    ) throws(CryptokiFailure) -> [UInt8] {
        var mechanism = unsafe CK_MECHANISM(mechanism: CKM_EDDSA, pParameter: nil, ulParameterLen: 0)
        try Self.check("C_SignInit", unsafe functions.signInit(session, &mechanism, key))
        var signature = [UInt8](repeating: 0, count: 128)
        var length = CK_ULONG(signature.count)
        // An empty array lends no address, which modules take for a missing argument.
        let data = message.isEmpty ? [0] : message
        let result = unsafe data.withUnsafeBufferPointer { input in
            unsafe signature.withUnsafeMutableBufferPointer { output in
                unsafe functions.sign(
                    session, input.baseAddress, CK_ULONG(message.count), output.baseAddress, &length)
            }
        }
        try Self.check("C_Sign", result)
        return Array(signature.prefix(Int(min(length, CK_ULONG(signature.count)))))
    }
}
