//! Owns the names of the rules, so that a test can prove each has a golden file.

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $rule:ident = $name:literal,)+) => {
        /// Names a rule that a manifest, profile or choice can break.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[doc = $doc])+ $rule,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$rule),+];

            /// Returns its name, `snake_case`: the `bad_NAME.toml` of its golden file.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$rule => $name,)+
                }
            }

            /// Returns the rule in one sentence.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self {
                    $(Self::$rule => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

rules! {
    /// The text is TOML.
    Syntax = "syntax",
    /// Every key is known.
    UnknownKey = "unknown_key",
    /// Every word is from its closed set.
    UnknownWord = "unknown_word",
    /// No required key is missing.
    MissingKey = "missing_key",
    /// Every value has its key's type.
    WrongType = "wrong_type",
    /// Every name is well formed.
    Name = "name",
    /// Every file can be read.
    Unreadable = "unreadable",
    /// The schema version is one that this build reads.
    SchemaVersion = "schema_version",
    /// The ids `node` and `internet` are no service's.
    ReservedId = "reserved_id",
    /// Every manifest has an id of its own.
    IdTaken = "id_taken",
    /// A service bound to some networks says why.
    NetworksReason = "networks_reason",
    /// An image is pinned by `sha256:` and 64 hex digits.
    ImageDigest = "image_digest",
    /// An image's repository names its registry, and neither tag nor digest.
    ImageRepository = "image_repository",
    /// The program is a file name, found on the PATH or in the image.
    ProgramPath = "program_path",
    /// No address or host name stands literally in a template.
    LiteralHost = "literal_host",
    /// No port number stands literally in a template.
    LiteralPort = "literal_port",
    /// No absolute path stands literally in a template.
    LiteralPath = "literal_path",
    /// A template can be read.
    TemplateSyntax = "template_syntax",
    /// A template reads variables of the closed set only.
    TemplateVariable = "template_variable",
    /// A template succeeds on every network, with and without its optional edges.
    TemplateFailure = "template_failure",
    /// Secret values stand in files only.
    SecretOutsideFile = "secret_outside_file",
    /// No text holds control characters, nor the brackets that mark a secret.
    ControlCharacter = "control_character",
    /// A program has 1 to 3600 seconds to stop.
    StopGrace = "stop_grace",
    /// A program that binds one address only offers one port.
    SingleListener = "single_listener",
    /// A port has a number on every network, and none is 0.
    PortNumber = "port_number",
    /// No two ports of a service have one number on the same network.
    DuplicatePort = "duplicate_port",
    /// Whatever is named is declared.
    UnknownReference = "unknown_reference",
    /// A credential that only the provider can make names its file, and no other does.
    CredentialFile = "credential_file",
    /// A path below a volume stays below it.
    PathEscapes = "path_escapes",
    /// A rendered file has a plain file name of its own.
    FileName = "file_name",
    /// The socket of the way in by Tor has a plain file name of at most 32 characters.
    OnionSocket = "onion_socket",
    /// The way out has no interface.
    InternetEdge = "internet_edge",
    /// An edge to a service names the interface.
    EdgeInterface = "edge_interface",
    /// A service does not call itself.
    EdgeToItself = "edge_to_itself",
    /// An edge grants only what the interface allows.
    UnknownGrant = "unknown_grant",
    /// A version is numbers with dots.
    VersionUnparsable = "version_unparsable",
    /// The version that a manifest ships may start.
    VersionUnsafe = "version_unsafe",
    /// A refused version is refused for a reason.
    VersionReason = "version_reason",
    /// A default lies in its range.
    DefaultRange = "default_range",
    /// A range is not empty.
    EmptyRange = "empty_range",
    /// A choice's default is one of its options.
    ChoiceDefault = "choice_default",
    /// A setting is used.
    UnusedSetting = "unused_setting",
    /// A check compares a setting with a value that it can have.
    CheckValue = "check_value",
    /// A probe goes to a port or along an edge, not both.
    ProbeTarget = "probe_target",
    /// A probe waits 1 to 60000 milliseconds.
    ProbeTimeout = "probe_timeout",
    /// The parameters of a question are a JSON array.
    ProbeParams = "probe_params",
    /// The node asks only what its own credential allows.
    ProbeGrant = "probe_grant",
    /// The signals alive and ready have rules.
    EmptySignal = "empty_signal",
    /// The one rule without conditions stands last.
    RuleOrder = "rule_order",
    /// A condition asks exactly one question.
    ConditionQuestion = "condition_question",
    /// A condition has a pointer where its question needs one.
    ConditionPointer = "condition_pointer",
    /// Only a rule of `synced` says how far the service is.
    ShareElsewhere = "share_elsewhere",
    /// Init jobs have names of their own.
    DuplicateInit = "duplicate_init",
    /// A job before the start asks nothing, since nothing runs that could answer.
    BeforeStartAsk = "before_start_ask",
    /// A step either runs or asks.
    StepKind = "step_kind",
    /// Only an answer can be captured.
    CaptureWithoutAsk = "capture_without_ask",
    /// A captured secret is declared so.
    CaptureSecret = "capture_secret",
    /// A secret to be captured is captured by some step, and given as no file before.
    UncapturedSecret = "uncaptured_secret",
    /// Memory and process limits are not 0, and memory grows with the machine.
    LimitRange = "limit_range",
    /// An endpoint's path begins with a slash.
    EndpointPath = "endpoint_path",
    /// An edge goes to a manifest that exists.
    EdgeProvider = "edge_provider",
    /// A template reads from an edge only what its provider's interface gives.
    EdgeVariable = "edge_variable",
    /// A profile's and an operator's services are instances of known manifests.
    ServiceManifest = "service_manifest",
    /// A service runs only on its networks.
    ServiceNetwork = "service_network",
    /// A named service exists.
    ServiceUnknown = "service_unknown",
    /// A named setting exists.
    SettingUnknown = "setting_unknown",
    /// A setting's value has its type and lies in its range.
    SettingValue = "setting_value",
    /// A named volume exists.
    VolumeUnknown = "volume_unknown",
    /// A named storage root exists.
    StorageUnknown = "storage_unknown",
    /// A storage root is an absolute path.
    StoragePath = "storage_path",
    /// A name in the internet has either trusted proxies or a certificate of the node's own.
    PublicAccess = "public_access",
    /// A named port exists, and its number is no other's.
    PortChoice = "port_choice",
    /// An edge is given to an instance of its provider.
    EdgeChoice = "edge_choice",
    /// An edge that is needed has exactly one provider.
    ProviderMissing = "provider_missing",
    /// An external service has an address for each port that others call.
    ExternalAddress = "external_address",
    /// An external service has a credential for each interface that takes one.
    ExternalCredential = "external_credential",
    /// Services do not wait for each other in a circle.
    WaitCycle = "wait_cycle",
}
