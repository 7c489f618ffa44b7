/// The program's version, as it stands in metrics, traces and on the command line.
public enum BuildVersion {
    /// By semantic versioning.
    public static let text = "0.1.0"
}
