// Generated from orchestrator/openapi.json by `npm run client`. Not to be edited.
export interface paths {
    "/api/v1/access": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the ways into the node's pages and API, each with how it is. */
        get: operations["access"];
        put?: never;
        /** Opens the node to its own network and to the Tor network, or closes it. */
        post: operations["set_access"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/account/language": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Chooses one's own language. */
        post: operations["set_language"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/account/passkeys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists one's own passkeys, oldest first. */
        get: operations["passkeys"];
        put?: never;
        /** Adds the passkey that an authenticator made. */
        post: operations["add_passkey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/account/passkeys/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Deletes one of one's own passkeys. */
        delete: operations["drop_passkey"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/account/passkeys/begin": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Begins to add a passkey for the name by which the node was asked. */
        post: operations["begin_passkey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/account/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Changes one's own password, and ends every other session and every token that one made. */
        post: operations["change_password"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/account/recovery-codes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes new recovery codes; the old ones are worth nothing from then on. */
        post: operations["recovery_codes"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/account/second-factor": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes a key for a second factor; it counts once a first code of it was typed. */
        post: operations["begin_factor"];
        /** Takes the second factor away. */
        delete: operations["drop_factor"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/account/second-factor/confirm": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Takes the new key into use. */
        post: operations["confirm_factor"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/accounts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists accounts, oldest first. */
        get: operations["accounts"];
        put?: never;
        /** Adds a person. */
        post: operations["add_account"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/accounts/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Deletes a person. */
        delete: operations["drop_account"];
        options?: never;
        head?: never;
        /** Changes another's role or password. */
        patch: operations["change_account"];
        trace?: never;
    };
    "/api/v1/accounts/{id}/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists where somebody is signed in, newest use first. */
        get: operations["sessions_of"];
        put?: never;
        post?: never;
        /** Signs somebody out everywhere, but for the session that asks. */
        delete: operations["drop_sessions_of"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/accounts/reset": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Gives an account a new password and takes its second factor away; on the unix socket only. */
        post: operations["reset"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/advisories": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what is known to be dangerous, and which services of this node it is about. */
        get: operations["list_advisories"];
        put?: never;
        /** Takes a newer file of advisories, where the release's key signed it. */
        post: operations["import_advisories"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/apply": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Accepts the files as the desired state. */
        post: operations["apply"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Compares what runs with what was declared, and tells the age of every credential. */
        post: operations["audit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit-log": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Returns a page of the audit log, newest first. */
        get: operations["audit_log"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit-log/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Looks at the whole audit log, and names the first row that is not as it was written. */
        post: operations["verify_audit_log"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/down": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Stops every service, then the daemon. */
        post: operations["down"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/edges": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists who may reach whom, for what, with which credential. */
        get: operations["list_edges"];
        put?: never;
        /** Lists who may reach whom, for what. */
        post: operations["edges"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Streams events (`event: event`, with the cursor as id) and each new status (`event: status`, without an id).
         * @description `event: gap` says that events are missing, `event: error` ends the stream with the one error shape. Who may not read
         *     the node is told `event: shop` alone: whether the shop is open, now and each time that changes. `event: alive` comes
         *     where nothing else did for 15 seconds.
         */
        get: operations["events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/images": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the image of every service. */
        get: operations["list_images"];
        put?: never;
        /** Lists the image of every service. */
        post: operations["images"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/machine": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Returns what the machine has, and how much of it is used. */
        get: operations["machine"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Returns what this document describes, as OpenAPI 3.1. */
        get: operations["openapi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plan": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Prints what `apply` would do. */
        post: operations["plan"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/removed": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the services that were left out and still have something here; `purge` deletes it. */
        get: operations["removed"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Replaces credentials; events say when each old one was refused. */
        post: operations["rotate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/services": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the services, sorted by id. */
        get: operations["services"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/services/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Returns one service. */
        get: operations["service"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/services/{id}/image": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Lets a service run in another image. */
        post: operations["set_image"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/services/{id}/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Streams a service's log lines, oldest first, one per line. */
        get: operations["logs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/services/{id}/purge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Deletes the data of a removed service. */
        post: operations["purge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/services/{id}/remove": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Leaves a service out; its data stay. */
        post: operations["remove"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/services/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Tries a service again that needs the operator. */
        post: operations["retry"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/services/{id}/settings/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Writes one setting and accepts it. */
        post: operations["set"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Tells how far the node is, and who is signed in. */
        get: operations["session"];
        put?: never;
        /** Signs somebody in. */
        post: operations["sign_in"];
        /** Ends the session. */
        delete: operations["sign_out"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session/confirm": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Asks a person again; for five minutes what matters may be done. */
        post: operations["confirm"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session/confirm/passkey": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Asks a person again by a passkey; for five minutes what matters may be done. */
        post: operations["confirm_by_passkey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session/confirm/passkey/begin": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Begins to ask a person again by a passkey. */
        post: operations["begin_passkey_confirmation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session/passkey": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Signs in whoever the passkey belongs to; it is both factors. */
        post: operations["sign_in_by_passkey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session/passkey/begin": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Begins to sign somebody in by a passkey; no name is typed. */
        post: operations["begin_passkey_sign_in"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists one's own sessions, newest use first. */
        get: operations["sessions"];
        put?: never;
        post?: never;
        /** Ends every session of one's own but this one. */
        delete: operations["drop_other_sessions"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Ends one of one's own sessions. */
        delete: operations["drop_session"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/set-up": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes the first owner and signs them in. */
        post: operations["set_up"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/settings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what can be set of each service, with the values that were accepted. */
        get: operations["list_settings"];
        put?: never;
        /** Writes several settings and accepts them with one plan, all or none. */
        post: operations["set_many"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/setup-code": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Returns the code that the first owner types; on the unix socket only. */
        post: operations["set_up_code"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/shop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Tells whether the shop is open, to everybody who works in it. */
        get: operations["shop"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Returns the whole status, the same as `flash-node status --json`. */
        get: operations["status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what needs whoever asks. */
        get: operations["tasks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists tokens without their values, oldest first. */
        get: operations["tokens"];
        put?: never;
        /** Makes a token for a program. */
        post: operations["add_token"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Takes a token back. */
        delete: operations["drop_token"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vault/key-file": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Writes a key file as a further way to open the vault. */
        post: operations["add_key_file"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vault/passphrase": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sets or changes the passphrase. */
        post: operations["change_passphrase"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vault/seal": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Closes the vault; services go on. */
        post: operations["seal"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vault/unlock": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Opens the vault. */
        post: operations["unlock"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/authority.crt": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Returns the certificate that devices of the network are told to trust. Its fingerprint is shown at the machine
         *     (`flash-node access`): compare it before you trust it. Strangers who came by a name or an onion address are not told: it
         *     says which node that is.
         */
        get: operations["authority"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Returns the metrics in the OpenMetrics text format. */
        get: operations["metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description The ways into the node's pages and API. */
        Access: {
            authority?: null | components["schemas"]["Authority"];
            /** @description Each way, open or not. */
            entrances: components["schemas"]["Entrance"][];
        };
        /** @description Who is to reach the node. */
        AccessBody: {
            /** @description Whether only the plan is wanted. */
            dry_run?: boolean;
            /** @description Whether the node's own network does, by HTTPS. Left away: as before. */
            lan?: boolean | null;
            /** @description Whether the Tor network does, by an onion address. Left away: as before. */
            onion?: boolean | null;
        };
        /** @description A person who may use the node, as the API shows them. */
        Account: {
            /**
             * Format: int64
             * @description Units: milliseconds since the Unix epoch.
             */
            created_at: number;
            /** @description Names it in paths. Shape: 16 hexadecimal digits. */
            id: string;
            /** @description Which language the pages speak to this person. Shape: a language tag. */
            language: string;
            /** @description What the person signs in by. */
            name: string;
            /** @description The names of the node for which the person has a passkey. */
            passkey_names: string[];
            /**
             * Format: int64
             * @description How many recovery codes were not used yet.
             */
            recovery_codes_left: number;
            /** @description What the person may do. */
            role: components["schemas"]["Role"];
            /** @description Whether a code of an app is asked for. */
            second_factor: boolean;
            /**
             * Format: int64
             * @description Units: milliseconds since the Unix epoch; null where the person never signed in.
             */
            signed_in_at?: number | null;
        };
        /** @description A page of the list of accounts. */
        AccountList: {
            /** @description Oldest first. */
            items: components["schemas"]["Account"][];
            /** @description What to ask for as `after` to read on; null at the end. */
            next?: string | null;
        };
        /** @description What is known to be dangerous, and what of it is here. */
        Advisories: {
            /** @description Everything that it tells, what is here first. */
            advisories: components["schemas"]["Advisory"][];
            /** @description Whether it was imported; otherwise it came with this release. */
            imported: boolean;
            /** @description The day of the file. Shape: `YYYY-MM-DD`. */
            issued: string;
            /**
             * Format: int64
             * @description The number of the file: it grows with each.
             */
            serial: number;
        };
        /** @description A newer file of advisories. */
        AdvisoriesBody: {
            /** @description What minisign wrote beside it (`.minisig`). */
            signature: string;
            /** @description The file. */
            text: string;
        };
        /** @description One danger. */
        Advisory: {
            /** @description One sentence: what to do. */
            action: string;
            /** @description The services of this node whose version it names. */
            here: components["schemas"]["Affected"][];
            /** @description Its name, such as `FLASH-2026-0001`. */
            id: string;
            /** @description Which kind of service has it: a manifest's id. */
            manifest: string;
            /** @description How bad it is. */
            severity: components["schemas"]["Severity"];
            /** @description One sentence: what may happen. */
            text: string;
        };
        /** @description A service whose version an advisory names. */
        Affected: {
            /** @description The service. */
            service: string;
            /** @description Its version. Shape: numbers with dots. */
            version: string;
        };
        /** @description What is accepted. */
        ApplyBody: {
            /** @description `plan` of the plan that was read; where the files are others by now, nothing is accepted. */
            plan?: string | null;
        };
        /** @description A page of the audit log. */
        AuditPage: {
            /** @description Newest first. */
            items: components["schemas"]["AuditRow"][];
            /**
             * Format: int64
             * @description What to ask for as `before` to read on; null at the oldest row.
             */
            next?: number | null;
        };
        /** @description One row of the audit log. */
        AuditRow: {
            /** @description What, as a machine code, `snake_case`. */
            action: string;
            /** @description Who did it: an account's name, or `machine` for whoever uses the node's own command line. */
            actor: string;
            /**
             * Format: int64
             * @description Units: milliseconds since the Unix epoch.
             */
            at: number;
            /**
             * Format: int64
             * @description Counts from 1, without a gap.
             */
            seq: number;
            /** @description One sentence for a person. */
            text: string;
        };
        /** @description The node's certificate authority, without its key. */
        Authority: {
            /** @description As PEM. */
            certificate: string;
            /** @description By what people compare it: SHA-256, as pairs of hexadecimal digits. */
            fingerprint: string;
        };
        /** @description What was begun with an authenticator. */
        CeremonyView: {
            /** @description Sent back when it is finished; good once, for five minutes. */
            ceremony: string;
            /** @description What `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON` takes. */
            options: Record<string, never>;
        };
        /** @description A new value of one setting. */
        ChangeBody: {
            /** @description The service. */
            service: string;
            /** @description The setting. */
            setting: string;
            /** @description The value as typed; the setting's type decides how it is read. */
            value: string;
        };
        /** @description What is changed of an account. */
        ChangesBody: {
            password?: null | components["schemas"]["SecretText"];
            role?: null | components["schemas"]["Role"];
        };
        /** @description The password, shown again. */
        ConfirmBody: {
            /** @description The password. */
            password: components["schemas"]["SecretText"];
            second_factor?: null | components["schemas"]["SecretText"];
        };
        /** @description By what a consumer is known. */
        Credential: {
            /**
             * Format: int32
             * @description Grows by one each time it is replaced; nothing where the provider makes it.
             */
            generation?: number | null;
            /** @description What it is. */
            kind: components["schemas"]["CredentialWord"];
            /** @description Whether the node can replace it. */
            rotatable: boolean;
        };
        /**
         * @description What a credential is.
         * @enum {string}
         */
        CredentialWord: "rpc_user" | "role" | "macaroon" | "password" | "token" | "tls_pair" | "provider_file";
        /** @description One disk. */
        Disk: {
            /** @description `data`, or the name of a storage root. */
            name: string;
            /**
             * Format: int64
             * @description Units: bytes.
             */
            total: number;
            /**
             * Format: int64
             * @description What is not to be had. Units: bytes.
             */
            used: number;
        };
        /** @description One way from who calls to who answers. */
        Edge: {
            /** @description What the consumer may ask for there; empty where the interface knows no such list. */
            allow: string[];
            credential?: null | components["schemas"]["Credential"];
            /** @description Who calls: a service, `node`, or, of a published port, `this machine`, `its network` or `anyone`. */
            from: string;
            /** @description Its name, by which its credential is replaced: `consumer/interface/provider`; nothing for a published port. */
            id?: string | null;
            /** @description The provider's interface, or the published port and where it is. */
            interface: string;
            /** @description The network of its own, in CIDR notation; nothing where services share the machine's. */
            network?: string | null;
            /** @description The only addresses beyond that network; empty on a `way_out` means everywhere. */
            reach: string[];
            /** @description Who answers: a service, or `internet`. */
            to: string;
            /** @description What carries it. */
            way: components["schemas"]["Way"];
        };
        /** @description What an operator must know beside the edges. */
        EdgeNote: {
            /** @description The machine code: `shared_network`, or `binds_every_address`. */
            code: string;
            /** @description Who else can reach that service's port. */
            others: string[];
            /** @description The service it is about, if one. */
            service?: string | null;
            /** @description One sentence for a person. */
            text: string;
        };
        /** @description Who may reach whom, for what. */
        Edges: {
            /** @description Every edge, sorted by who calls; there is no other way between two services. */
            edges: components["schemas"]["Edge"][];
            /** @description What an operator must know beside them. */
            notes: components["schemas"]["EdgeNote"][];
        };
        /** @description How many sessions ended. */
        Ended: {
            /** @description How many. */
            ended: number;
        };
        /** @description An address worth showing. */
        EndpointStatus: {
            /** @description The endpoint's name in the manifest, such as `nostr` or `cashu`. */
            name: string;
            /** @description Where it answers. */
            url: string;
        };
        /** @description One way in. */
        Entrance: {
            /** @description The machine code, `snake_case`. */
            code: string;
            /** @description From where. */
            kind: components["schemas"]["EntranceKind"];
            /** @description Whether it works, by the node's own try; nothing where it is not wanted. */
            ok?: boolean | null;
            /** @description One sentence for a person. */
            text: string;
            /** @description What is opened in a browser, the best first. */
            urls: string[];
        };
        /**
         * @description From where a way leads in.
         * @enum {string}
         */
        EntranceKind: "machine" | "network" | "public" | "onion";
        /** @description The one shape of every error. */
        ErrorBody: {
            /** @description The machine code, `snake_case`. */
            code: string;
            /** @description What to do next. */
            hint: string;
            /** @description What was refused and why. */
            message: string;
        };
        /** @description One event of the node's history, kept in `state.db`. */
        Event: {
            /**
             * Format: int64
             * @description Units: milliseconds since the Unix epoch.
             */
            at: number;
            /** @description The machine code, `snake_case`. */
            code: string;
            /**
             * Format: int64
             * @description Grows by one with each event; the cursor from which a reader resumes.
             */
            cursor: number;
            /** @description The service it is about, if one. */
            service?: string | null;
            /** @description One sentence for a person. */
            text: string;
        };
        /** @description The first code of a new key. */
        FirstCodeBody: {
            /** @description Six digits. */
            code: components["schemas"]["SecretText"];
        };
        /** @description Says that events between two cursors are not kept any more. */
        Gap: {
            /**
             * Format: int64
             * @description The cursor from which the reader wanted to go on.
             */
            after: number;
            /**
             * Format: int64
             * @description The first event that follows.
             */
            first: number;
        };
        /** @description The image of one service. */
        Image: {
            /** @description By what the engine knows it, where it is on this machine. */
            id?: string | null;
            /** @description How it is named: `repository@sha256:…`, `sha256:…`, or `self:PROGRAM@sha256:…`. */
            reference: string;
            /** @description The service. */
            service: string;
            /**
             * Format: int64
             * @description Units: bytes.
             */
            size?: number | null;
            /** @description What its program said of its version, in one line. */
            version?: string | null;
        };
        /** @description Another image of a service. */
        ImageBody: {
            /** @description Whether only the plan is wanted. */
            dry_run?: boolean;
            /** @description `repository@sha256:…`, or `sha256:…` for an image of this machine. */
            image: string;
        };
        /** @description In which image each service runs. */
        Images: {
            /** @description The image of every service, sorted by service. */
            images: components["schemas"]["Image"][];
            /** @description Whether services run in containers; otherwise they are programs of this machine and have none. */
            in_containers: boolean;
        };
        /** @description Where a key file is written. */
        KeyFileBody: {
            /** @description Its absolute path. */
            path: string;
        };
        /** @description One's own language. */
        LanguageBody: {
            /** @description The language tag, such as `nl`. */
            language: string;
        };
        /**
         * @description How urgent a task is.
         * @enum {string}
         */
        Level: "now" | "soon";
        /** @description What the machine has, and how much of it is used. */
        Machine: {
            /** @description How many cores it has. */
            cores: number;
            /** @description The disk of the data folder (`data`), then the operator's storage roots by their names. */
            disks: components["schemas"]["Disk"][];
            /** @description Its memory. */
            memory: components["schemas"]["Room"];
            /** @description What was seen over the last day, oldest first, one a minute; it begins with the daemon. */
            samples: components["schemas"]["Sample"][];
        };
        /** @description A token that was just made. */
        MadeToken: {
            token: components["schemas"]["Token"];
            /** @description The value, for `Authorization: Bearer`; it is shown once. */
            value: string;
        };
        /** @description A person to be added. */
        NewAccountBody: {
            /** @description The language tag, such as `nl`. */
            language: string;
            /** @description What the person signs in by. */
            name: string;
            /** @description A first password, at least 10 characters. */
            password: components["schemas"]["SecretText"];
            role: components["schemas"]["Role"];
        };
        /** @description A new second factor, to be put into an app. */
        NewFactorView: {
            /** @description The link as a QR code, an SVG picture. */
            qr_svg: string;
            /** @description The key in base 32, for typing. */
            secret: string;
            /** @description The key as a link. Shape: `otpauth://totp/…`. */
            uri: string;
        };
        /** @description A passkey that an authenticator made. */
        NewPasskeyBody: {
            /** @description What the begin named. */
            ceremony: string;
            /** @description What `PublicKeyCredential.toJSON` gives. */
            credential: Record<string, never>;
            /** @description What it is to be called, 1 to 64 characters. */
            label: string;
        };
        /** @description A token to be made. */
        NewTokenBody: {
            /**
             * Format: int64
             * @description How long it lives. Units: days, 1 to 365.
             */
            expires_in_days: number;
            /** @description What it is called in lists and in the audit log. */
            name: string;
            role: components["schemas"]["Role"];
        };
        /** @description The whole node. */
        NodeStatus: {
            /** @description Where the API answers; empty where the node only stops what another daemon left. */
            api: string;
            /**
             * Format: int64
             * @description Moves whenever anything above changes.
             */
            cursor: number;
            /** @description The Bitcoin network. */
            network: string;
            /**
             * Format: int32
             * @description The daemon's process id.
             */
            pid: number;
            /** @description Whether nothing here is worth anything. */
            play_money: boolean;
            /** @description The profile. */
            profile: string;
            /** @description Every service, sorted by id. */
            services: components["schemas"]["ServiceStatus"][];
            /** @description The vault. */
            vault: components["schemas"]["VaultStatus"];
            /** @description `flash-node`'s version. */
            version: string;
        };
        /** @description One's own new password. */
        OwnPasswordBody: {
            /** @description The password of today. */
            current: components["schemas"]["SecretText"];
            /** @description The new one, at least 10 characters. */
            new: components["schemas"]["SecretText"];
        };
        /**
         * @description How far the node is with whoever looks at its pages.
         * @enum {string}
         */
        PageStage: "no_vault" | "set_up" | "sealed" | "sign_in" | "signed_in";
        /** @description A passkey, as the API shows it. */
        Passkey: {
            /**
             * Format: int64
             * @description Units: milliseconds since the Unix epoch.
             */
            created_at: number;
            /** @description Names it in paths. Shape: 16 hexadecimal digits. */
            id: string;
            /** @description What its owner calls it. */
            label: string;
            /** @description The name of the node that it is for, without a port; it opens nothing by another. */
            site: string;
            /**
             * Format: int64
             * @description Units: milliseconds since the Unix epoch; null where it was never used.
             */
            used_at?: number | null;
        };
        /** @description What an authenticator answered. */
        PasskeyBody: {
            /** @description What the begin named. */
            ceremony: string;
            /** @description What `PublicKeyCredential.toJSON` gives. */
            credential: Record<string, never>;
        };
        /** @description A list of passkeys. */
        Passkeys: {
            items: components["schemas"]["Passkey"][];
        };
        /** @description A new passphrase. */
        PassphraseBody: {
            current?: null | components["schemas"]["UnlockBody"];
            /** @description The new passphrase. */
            new: components["schemas"]["SecretText"];
        };
        /**
         * @description What is done to a service.
         * @enum {string}
         */
        PlannedAction: "remove" | "stop" | "kill" | "clean" | "supervise" | "restart" | "start";
        /** @description One step of a plan, for who shows it in words of their own. */
        PlannedStep: {
            /** @description What is done to it. */
            action: components["schemas"]["PlannedAction"];
            /** @description The service. */
            service: string;
            /**
             * Format: int32
             * @description How long the service may take to stop, where it is stopped. Units: seconds.
             */
            stop_seconds?: number | null;
        };
        /** @description The name of a service, typed again. */
        PurgeBody: {
            /** @description The name. */
            confirm: string;
        };
        /** @description Recovery codes. */
        RecoveryCodes: {
            /** @description Each stands in for the second factor once. They are shown once. */
            recovery_codes: string[];
        };
        /** @description How a service is left out. */
        RemoveBody: {
            /** @description Whether only the plan is wanted. */
            dry_run?: boolean;
        };
        /** @description The services that were left out and still have something here. */
        Removed: {
            /** @description Each, sorted by id. */
            items: components["schemas"]["RemovedService"][];
        };
        /** @description A service that was left out. */
        RemovedService: {
            /** @description Where its data lie; empty where it has none and is only remembered. */
            folders: string[];
            /** @description The service. */
            id: string;
            /** @description What people call it; its id where nobody knows it any more. */
            title: string;
        };
        /** @description The answer to a command. */
        Reply: {
            /** @description Whether anything changes by it. */
            changed: boolean;
            /**
             * @description Names the files that were planned for, so that `apply` takes these and no others. Shape: 64 hexadecimal digits;
             *     of `plan` alone.
             */
            plan?: string | null;
            /** @description What is done to services, of a plan; empty where none is touched. */
            steps?: components["schemas"]["PlannedStep"][];
            /** @description What happened or would happen, for a person; a plan prints as text. */
            text: string;
        };
        /** @description An account that nobody can sign in to any more. */
        ResetBody: {
            /** @description The account's name. */
            name: string;
            /** @description Its new password. */
            password: components["schemas"]["SecretText"];
        };
        /**
         * @description What a person or a token may do on this node.
         * @enum {string}
         */
        Role: "owner" | "manager" | "cashier" | "auditor";
        /** @description How much there is of something. */
        Room: {
            /**
             * Format: int64
             * @description Units: bytes.
             */
            total: number;
            /**
             * Format: int64
             * @description What is not to be had. Units: bytes.
             */
            used: number;
        };
        /** @description Credentials to replace. */
        RotateBody: {
            /** @description Whether only the plan is wanted. */
            dry_run?: boolean;
            /** @description Whose, each as `consumer/interface/provider`. Empty: every one that the node makes. */
            edges: string[];
        };
        /** @description What was seen at one time. */
        Sample: {
            /**
             * Format: int64
             * @description Units: milliseconds since the Unix epoch.
             */
            at: number;
            /**
             * Format: int64
             * @description Of the disk of the data folder. Units: bytes.
             */
            disk_used: number;
            /**
             * Format: int64
             * @description Units: bytes.
             */
            memory_used: number;
        };
        SecretText: string;
        /** @description One event of a stream, as its reader sees it. Source: HTML, "Server-sent events". */
        SentEvent: {
            /** @description What the name before it says, as JSON. */
            data: string;
            /** @description `event`, `status`, `gap`, `error`, `shop` or `alive`. */
            event: string;
            /** @description The cursor, of `event` alone. */
            id?: string | null;
        };
        /** @description What can be set of one service. */
        ServiceSettings: {
            /** @description The service. */
            id: string;
            /** @description Its settings, sorted by name. */
            settings: components["schemas"]["Setting"][];
            /** @description What people call it. */
            title: string;
        };
        /** @description One service. */
        ServiceStatus: {
            /** @description Does it run and answer at all? */
            alive: components["schemas"]["Signal"];
            /** @description Where people and programs reach it. */
            endpoints: components["schemas"]["EndpointStatus"][];
            /** @description The service. */
            id: string;
            /** @description What the operator should do, where something is needed. */
            next?: string | null;
            /** @description Confinement that this runtime cannot give, one code each. */
            not_enforced: string[];
            /** @description Does it serve? */
            ready: components["schemas"]["Signal"];
            /** @description What runs it: `process`, `docker`, `external` or `none`. */
            runtime: string;
            /**
             * Format: int64
             * @description Since when the program runs. Units: milliseconds since the Unix epoch.
             */
            started_at?: number | null;
            /**
             * @description The reconciler's state: `absent`, `prepared`, `running`, `stopping`, `exited`, `backing_off`, `needs_you`, `held_back`, `external`,
             *     `unknown` (nobody can say now what runs).
             */
            state: string;
            /** @description Has it caught up? */
            synced: components["schemas"]["Signal"];
            /**
             * Format: int64
             * @description When it will have caught up at the pace of the last hour, rounded; nothing where that cannot be told yet.
             *     Units: milliseconds since the Unix epoch.
             */
            synced_at?: number | null;
            /** @description What people call it. */
            title: string;
            /** @description Whether it is part of the node; one that was left out is listed until it has stopped. */
            wanted: boolean;
        };
        /** @description One session, as the API shows it. */
        Session: {
            /** @description What the browser said it is. */
            agent: string;
            /**
             * Format: int64
             * @description Units: milliseconds since the Unix epoch.
             */
            created_at: number;
            /** @description Whether it is the one that asks. */
            current: boolean;
            /** @description The address it was opened from. */
            from: string;
            /** @description Names it in paths. Shape: 16 hexadecimal digits. */
            id: string;
            /**
             * Format: int64
             * @description Units: milliseconds since the Unix epoch, to the minute.
             */
            seen_at: number;
        };
        /** @description A list of sessions. */
        Sessions: {
            /** @description At most 100: a further one ends the one that was not used for longest. */
            items: components["schemas"]["Session"][];
        };
        /** @description What every page begins with. */
        SessionView: {
            account?: null | components["schemas"]["Account"];
            /**
             * Format: int64
             * @description Until when the person counts as having just shown the password. Units: milliseconds since the Unix epoch.
             */
            confirmed_until?: number | null;
            /** @description The Bitcoin network. */
            network: string;
            /**
             * @description The name for which there can be passkeys here; null where there can be none: by an address, an onion address
             *     among them, and by a name without HTTPS.
             */
            passkey_name?: string | null;
            /** @description Whether a passphrase opens the vault. */
            passphrase_set: boolean;
            /** @description Whether nothing here is worth anything. */
            play_money: boolean;
            stage: components["schemas"]["PageStage"];
            /** @description `flash-node`'s version. */
            version: string;
        };
        /** @description A new value of a setting. */
        SetBody: {
            /** @description Whether only the plan is wanted. */
            dry_run?: boolean;
            /** @description The value as typed; the setting's type decides how it is read. */
            value: string;
        };
        /** @description New values of several settings. */
        SetManyBody: {
            /** @description Which; at least one. */
            changes: components["schemas"]["ChangeBody"][];
            /** @description Whether only the plan is wanted. */
            dry_run?: boolean;
        };
        /** @description One setting: its type, its range and its value. Source: the service's manifest, `[settings]`. */
        Setting: {
            /** @description Whether the operator chose it. */
            chosen: boolean;
            /** @description The value where the operator says nothing. */
            default: components["schemas"]["SettingValue"];
            /** @description One sentence for the form. */
            help: string;
            /**
             * Format: int64
             * @description The largest legal number.
             */
            max?: number | null;
            /** @description The longest legal text. Units: characters. */
            max_length?: number | null;
            /**
             * Format: int64
             * @description The smallest legal number.
             */
            min?: number | null;
            /** @description Its name, `snake_case`. */
            name: string;
            /** @description The legal words of a choice. */
            options?: string[] | null;
            /** @description Its type. */
            type: components["schemas"]["SettingType"];
            /** @description The number's unit, for people. */
            unit?: string | null;
            /** @description The value that was accepted. */
            value: components["schemas"]["SettingValue"];
        };
        /** @description What can be set, by service. */
        Settings: {
            /** @description Every service that has settings, sorted by id. */
            services: components["schemas"]["ServiceSettings"][];
        };
        /**
         * @description The type of a setting.
         * @enum {string}
         */
        SettingType: "bool" | "integer" | "text" | "choice";
        /** @description The value of a setting, as its type asks. */
        SettingValue: boolean | number | string;
        /** @description The first owner. */
        SetUpBody: {
            /** @description The code that `flash-node up` and `flash-node setup-code` print. */
            code: components["schemas"]["SecretText"];
            /** @description The language tag, such as `nl`. */
            language: string;
            /** @description What the owner signs in by. */
            name: string;
            /** @description The password, at least 10 characters. */
            password: components["schemas"]["SecretText"];
        };
        /** @description The set-up code. */
        SetUpCode: {
            /** @description What the first owner types. */
            code: string;
        };
        /**
         * @description How bad a danger is.
         * @enum {string}
         */
        Severity: "low" | "medium" | "high" | "critical";
        /** @description Whether the shop is open. */
        Shop: {
            /** @description The machine code, `snake_case`. */
            code: string;
            /** @description True where every service is ready, false where one is not, null where that is not known. */
            open?: boolean | null;
            /** @description One sentence for a person. */
            text: string;
        };
        /** @description One signal of a service. */
        Signal: {
            /** @description The machine code, `snake_case`. */
            code: string;
            /** @description True, false, or null where it cannot be known now. */
            ok?: boolean | null;
            /**
             * Format: int32
             * @description How much of what there is to do is done, where the service says so. Units: millionths.
             */
            share?: number | null;
            /** @description One sentence for a person. */
            text: string;
        };
        /** @description What somebody signs in with. */
        SignInBody: {
            /** @description The account's name. */
            name: string;
            /** @description The password. */
            password: components["schemas"]["SecretText"];
            second_factor?: null | components["schemas"]["SecretText"];
        };
        /** @description One thing that somebody should do. */
        Task: {
            /**
             * @description The machine code: `needs_operator`, `disk_low`, `memory_low`, `confinement`, `no_passphrase`, `no_second_factor`,
             *     `recovery_codes_low` or `advisory`.
             */
            code: string;
            /** @description What to do. */
            hint: string;
            /** @description Unique in the list: the code, and what it is about. */
            id: string;
            /** @description How urgent it is. */
            level: components["schemas"]["Level"];
            /** @description The service it is about, if one. */
            service?: string | null;
            /** @description One sentence for a person. */
            text: string;
        };
        /** @description What needs a person. */
        TaskList: {
            /** @description What is urgent comes first. */
            tasks: components["schemas"]["Task"][];
        };
        /** @description A token, as the API shows it: without its value. */
        Token: {
            /**
             * Format: int64
             * @description Units: milliseconds since the Unix epoch.
             */
            created_at: number;
            /**
             * Format: int64
             * @description Units: milliseconds since the Unix epoch.
             */
            expires_at: number;
            /** @description Names it in paths. Shape: 16 hexadecimal digits. */
            id: string;
            /** @description What it is called. */
            name: string;
            /** @description What it may do. */
            role: components["schemas"]["Role"];
            /**
             * Format: int64
             * @description Units: milliseconds since the Unix epoch, to the minute; null where it was never used.
             */
            used_at?: number | null;
        };
        /** @description A page of the list of tokens. */
        TokenList: {
            /** @description Oldest first. */
            items: components["schemas"]["Token"][];
            /** @description What to ask for as `after` to read on; null at the end. */
            next?: string | null;
        };
        /** @description A way to open the vault. */
        UnlockBody: {
            /** @description The passphrase. */
            passphrase: components["schemas"]["SecretText"];
        } | {
            /** @description The recovery key, as printed. */
            recovery_key: components["schemas"]["SecretText"];
        } | {
            /** @description The content of a key file, in base64. */
            key_file: components["schemas"]["SecretText"];
        };
        /** @description The vault. */
        VaultStatus: {
            /** @description Whether there is a vault; outside play money the first passphrase makes it. */
            exists: boolean;
            /** @description Whether a passphrase opens it. */
            passphrase_set: boolean;
            /** @description `open`, `sealed` or `self_unsealing` (no passphrase is set: play money only). */
            state: string;
            /** @description One sentence for a person. */
            text: string;
        };
        /** @description What a look at the whole log found. */
        Verdict: {
            /**
             * Format: int64
             * @description The first row that is not as it was written; one past the last where the end was cut off.
             */
            first_bad?: number | null;
            /** @description Whether every row is as it was written, and none is missing. */
            intact: boolean;
            /**
             * Format: int64
             * @description How many rows were looked at.
             */
            rows: number;
        };
        /**
         * @description What carries an edge.
         * @enum {string}
         */
        Way: "between" | "way_out" | "published";
    };
    responses: {
        /** @description The node starts or stops, or its disk does not answer */
        Away: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorBody"];
            };
        };
        /** @description The body is not what this path takes */
        BadBody: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorBody"];
            };
        };
        /** @description As things stand this cannot be done, or nobody owns the node yet */
        Conflict: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorBody"];
            };
        };
        /** @description The request was caused by a page that is not this node's, or whoever asks may not */
        Forbidden: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorBody"];
            };
        };
        /** @description Something failed inside; the node's log tells the cause */
        Internal: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorBody"];
            };
        };
        /** @description A value or a file holds a mistake */
        Mistake: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorBody"];
            };
        };
        /** @description The body is not announced as JSON */
        NotJson: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorBody"];
            };
        };
        /** @description The vault is sealed */
        Sealed: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorBody"];
            };
        };
        /** @description Nobody is signed in */
        SignedOut: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorBody"];
            };
        };
        /** @description The body did not arrive in time */
        SlowBody: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorBody"];
            };
        };
        /** @description The body is larger than any that the API takes */
        TooLarge: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorBody"];
            };
        };
        /** @description Whoever asks does so too often; Retry-After says when to come back */
        TooOften: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorBody"];
            };
        };
    };
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    access: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Every way in */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Access"];
                };
            };
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    set_access: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AccessBody"];
            };
        };
        responses: {
            /** @description What is done now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            503: components["responses"]["Away"];
        };
    };
    set_language: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LanguageBody"];
            };
        };
        responses: {
            /** @description It is chosen */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            /** @description It is no language tag */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    passkeys: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The passkeys, for every name of the node */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Passkeys"];
                };
            };
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    add_passkey: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewPasskeyBody"];
            };
        };
        responses: {
            /** @description The passkey */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Passkey"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            /** @description The password must be shown again */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            /** @description It was not begun here, is known, or there are enough of them */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            /** @description It is no passkey for this name, or is called by nothing */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    drop_passkey: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The passkey */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It opens nothing any more */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            /** @description The password must be shown again */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description There is no such passkey */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    begin_passkey: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What the authenticator is asked */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CeremonyView"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            /** @description The password must be shown again */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            /** @description The node was asked by no name that can have passkeys, or there are enough of them */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    change_password: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OwnPasswordBody"];
            };
        };
        responses: {
            /** @description It is changed */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["BadBody"];
            /** @description The password of today is another */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            /** @description The new one is not allowed */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            423: components["responses"]["Sealed"];
            /** @description Too many attempts */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            500: components["responses"]["Internal"];
        };
    };
    recovery_codes: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The codes, shown once */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RecoveryCodes"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            /** @description The password must be shown again */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            /** @description There is no second factor */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    begin_factor: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The key, shown once */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NewFactorView"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            /** @description The password must be shown again */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    drop_factor: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is gone */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            /** @description The password must be shown again */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            /** @description There was none */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    confirm_factor: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["FirstCodeBody"];
            };
        };
        responses: {
            /** @description Recovery codes, shown once */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RecoveryCodes"];
                };
            };
            400: components["responses"]["BadBody"];
            /** @description The code is wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            /** @description No second factor is being set up */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    accounts: {
        parameters: {
            query?: {
                /** @description Only what comes after: `next` of the page before. */
                after?: string;
                /** @description How many; 100 where nothing is said, at most 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AccountList"];
                };
            };
            /** @description The query is not understood */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            401: components["responses"]["SignedOut"];
            /** @description The role does not allow it */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    add_account: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewAccountBody"];
            };
        };
        responses: {
            /** @description The account */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Account"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            /** @description The role does not allow it, or the password must be shown again */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            /** @description The name is taken */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            /** @description Name, password or language is not allowed */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    drop_account: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The account */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The account is gone, with its sessions, tokens and passkeys */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            /** @description The role does not allow it, or the password must be shown again */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description There is no such account */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            /** @description It is the last owner */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    change_account: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The account */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChangesBody"];
            };
        };
        responses: {
            /** @description The account */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Account"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            /** @description The role does not allow it, or the password must be shown again */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description There is no such account */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            /** @description It is the last owner */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            /** @description The password is not allowed */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    sessions_of: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The account */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The sessions, at most 100 */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sessions"];
                };
            };
            401: components["responses"]["SignedOut"];
            /** @description The role does not allow it */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description There is no such account */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    drop_sessions_of: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The account */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description They are over */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Ended"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            /** @description The role does not allow it, or the password must be shown again */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description There is no such account */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    reset: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ResetBody"];
            };
        };
        responses: {
            /** @description The account */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Account"];
                };
            };
            400: components["responses"]["BadBody"];
            /** @description There is no such account */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            /** @description The password is not allowed */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            423: components["responses"]["Sealed"];
            500: components["responses"]["Internal"];
        };
    };
    list_advisories: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Every advisory, what is here first */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Advisories"];
                };
            };
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    import_advisories: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AdvisoriesBody"];
            };
        };
        responses: {
            /** @description It is known from now on */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            503: components["responses"]["Away"];
        };
    };
    apply: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": null | components["schemas"]["ApplyBody"];
            };
        };
        responses: {
            /** @description What is done now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            /** @description The files were changed since the plan was made */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            /** @description A file holds a mistake */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            503: components["responses"]["Away"];
        };
    };
    audit: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What was found, a line each */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            503: components["responses"]["Away"];
        };
    };
    audit_log: {
        parameters: {
            query?: {
                /** @description Only rows before this one. */
                before?: number;
                /** @description How many; 50 where nothing is said, at most 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditPage"];
                };
            };
            /** @description The query is not understood */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            401: components["responses"]["SignedOut"];
            /** @description The role does not allow it */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    verify_audit_log: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What was found */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Verdict"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            /** @description The role does not allow it */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    down: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What is done now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            503: components["responses"]["Away"];
        };
    };
    list_edges: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Every edge */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Edges"];
                };
            };
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    edges: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Every edge, as text */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            503: components["responses"]["Away"];
        };
    };
    events: {
        parameters: {
            query?: {
                /** @description The cursor of the last event that the reader has. `Last-Event-ID` says the same and wins. */
                after?: number;
                /** @description Only events before this cursor, the newest `tail` of them; with `follow=false`. */
                before?: number;
                /** @description `false` ends the stream at the newest event; it then carries no status. */
                follow?: boolean;
                /** @description How many of the newest events to begin with, where no cursor is named. */
                tail?: number;
            };
            header?: {
                /** @description The cursor of the last event that the reader has */
                "Last-Event-ID"?: number | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Server-sent events: event (Event), status (NodeStatus), gap (Gap), error (ErrorBody), shop (Shop) */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["SentEvent"];
                };
            };
            /** @description The query or the cursor is not understood */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            /** @description Too many streams are open */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_images: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Every image */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Images"];
                };
            };
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    images: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Every image, as text */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            503: components["responses"]["Away"];
        };
    };
    machine: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The machine */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Machine"];
                };
            };
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            /** @description A disk does not answer */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    openapi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description This document */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            403: components["responses"]["Forbidden"];
            413: components["responses"]["TooLarge"];
            500: components["responses"]["Internal"];
        };
    };
    plan: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The plan, as text */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            /** @description A file holds a mistake */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            503: components["responses"]["Away"];
        };
    };
    removed: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Each */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Removed"];
                };
            };
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            /** @description A disk does not answer */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    rotate: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RotateBody"];
            };
        };
        responses: {
            /** @description What is done now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            /** @description There is no such edge */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            /** @description The node does not make this credential */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            503: components["responses"]["Away"];
        };
    };
    services: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Every service */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServiceStatus"][];
                };
            };
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    service: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The service */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The service */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServiceStatus"];
                };
            };
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            /** @description There is no such service */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    set_image: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The service */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ImageBody"];
            };
        };
        responses: {
            /** @description What is done now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            /** @description There is no such service */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            /** @description The image is not named by what it holds */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            503: components["responses"]["Away"];
        };
    };
    logs: {
        parameters: {
            query?: {
                /** @description Whether the stream goes on as more lines arrive. */
                follow?: boolean;
                /** @description How many of the newest lines; 200 where nothing is said, at most 100000. */
                tail?: number;
            };
            header?: never;
            path: {
                /** @description The service */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The lines */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description The query is not understood */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            /** @description There is no such service */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            /** @description Too many streams are open */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    purge: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The service */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PurgeBody"];
            };
        };
        responses: {
            /** @description What was deleted */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            /** @description The name typed again is another */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description There is no such service */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            503: components["responses"]["Away"];
        };
    };
    remove: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The service */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": null | components["schemas"]["RemoveBody"];
            };
        };
        responses: {
            /** @description What is done now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            /** @description There is no such service */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            503: components["responses"]["Away"];
        };
    };
    retry: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The service */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What is done now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            /** @description There is no such service */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            503: components["responses"]["Away"];
        };
    };
    set: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The service */
                id: string;
                /** @description The setting */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetBody"];
            };
        };
        responses: {
            /** @description What is done now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            /** @description There is no such service or setting */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            /** @description The value is not allowed */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            503: components["responses"]["Away"];
        };
    };
    session: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What every page begins with */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionView"];
                };
            };
            403: components["responses"]["Forbidden"];
            413: components["responses"]["TooLarge"];
            500: components["responses"]["Internal"];
        };
    };
    sign_in: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SignInBody"];
            };
        };
        responses: {
            /** @description The person is signed in */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionView"];
                };
            };
            400: components["responses"]["BadBody"];
            /** @description Name, password or code is wrong, or a code is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            /** @description The vault is sealed */
            423: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many attempts */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            500: components["responses"]["Internal"];
        };
    };
    sign_out: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Nobody is signed in here any more */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["BadBody"];
            /** @description Nobody was */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    confirm: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ConfirmBody"];
            };
        };
        responses: {
            /** @description It is the same person */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionView"];
                };
            };
            400: components["responses"]["BadBody"];
            /** @description The password or the code is wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            /** @description Too many attempts */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            500: components["responses"]["Internal"];
        };
    };
    confirm_by_passkey: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasskeyBody"];
            };
        };
        responses: {
            /** @description It is the same person */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionView"];
                };
            };
            400: components["responses"]["BadBody"];
            /** @description The passkey was not accepted */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            /** @description It was not begun here, is finished, or the node was asked by no name that can have passkeys */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            /** @description Too many attempts */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            500: components["responses"]["Internal"];
        };
    };
    begin_passkey_confirmation: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What the authenticator is asked */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CeremonyView"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            /** @description The node was asked by no name that can have passkeys, or there is no passkey for this name */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    sign_in_by_passkey: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasskeyBody"];
            };
        };
        responses: {
            /** @description The person is signed in */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionView"];
                };
            };
            400: components["responses"]["BadBody"];
            /** @description The passkey was not accepted */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            /** @description It was not begun here, is finished, or the node was asked by no name that can have passkeys */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            /** @description The vault is sealed */
            423: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many attempts */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            500: components["responses"]["Internal"];
        };
    };
    begin_passkey_sign_in: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What the authenticator is asked */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CeremonyView"];
                };
            };
            403: components["responses"]["Forbidden"];
            /** @description The node was asked by no name that can have passkeys */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            /** @description The vault is sealed */
            423: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            500: components["responses"]["Internal"];
        };
    };
    sessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The sessions */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sessions"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            403: components["responses"]["Forbidden"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    drop_other_sessions: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description They are over */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["BadBody"];
            /** @description Nobody is signed in */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    drop_session: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The session */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is over */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            /** @description There is no such session */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    set_up: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetUpBody"];
            };
        };
        responses: {
            /** @description The owner is signed in */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionView"];
                };
            };
            400: components["responses"]["BadBody"];
            /** @description The code is another */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            /** @description The node has an owner, or the name is taken */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            /** @description Name, password or language is not allowed */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description There is no open vault */
            423: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many attempts */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            500: components["responses"]["Internal"];
        };
    };
    list_settings: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Every setting */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Settings"];
                };
            };
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    set_many: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetManyBody"];
            };
        };
        responses: {
            /** @description What is done now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            /** @description There is no such service or setting */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            /** @description A value is not allowed, or nothing is named */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            503: components["responses"]["Away"];
        };
    };
    set_up_code: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The code */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SetUpCode"];
                };
            };
            400: components["responses"]["BadBody"];
            408: components["responses"]["SlowBody"];
            /** @description The node has an owner */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            /** @description The vault is sealed */
            423: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            500: components["responses"]["Internal"];
        };
    };
    shop: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Whether it is open */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Shop"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            403: components["responses"]["Forbidden"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    status: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The status of the node and of every service */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NodeStatus"];
                };
            };
            401: components["responses"]["SignedOut"];
            /** @description Host, Origin or Sec-Fetch-Site is not this node's */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    tasks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What is to be done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TaskList"];
                };
            };
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            /** @description A disk does not answer */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    tokens: {
        parameters: {
            query?: {
                /** @description Only what comes after: `next` of the page before. */
                after?: string;
                /** @description How many; 100 where nothing is said, at most 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenList"];
                };
            };
            /** @description The query is not understood */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            401: components["responses"]["SignedOut"];
            /** @description The role does not allow it */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    add_token: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewTokenBody"];
            };
        };
        responses: {
            /** @description The token with its value */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MadeToken"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            /** @description It could do more than you, or the password must be shown again */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            /** @description Name or time is not allowed */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    drop_token: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The token */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is worth nothing any more */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            /** @description The role does not allow it, or the password must be shown again */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description There is no such token */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
    add_key_file: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["KeyFileBody"];
            };
        };
        responses: {
            /** @description It is written */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            /** @description It cannot be written there */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            423: components["responses"]["Sealed"];
            500: components["responses"]["Internal"];
        };
    };
    change_passphrase: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PassphraseBody"];
            };
        };
        responses: {
            /** @description It is changed; the text may hold a recovery key to write down */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            /** @description The vault did not open with this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            /** @description The new passphrase is too weak */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            503: components["responses"]["Away"];
        };
    };
    seal: {
        parameters: {
            query?: never;
            header?: {
                /** @description A fresh random text: the request is carried out once, however often it is sent within a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The vault is closed */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            408: components["responses"]["SlowBody"];
            /** @description There is no vault, or it opens itself */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
            503: components["responses"]["Away"];
        };
    };
    unlock: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UnlockBody"];
            };
        };
        responses: {
            /** @description The vault is open */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reply"];
                };
            };
            400: components["responses"]["BadBody"];
            /** @description It is open already, and nobody is signed in */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description It did not open with this, or it is open already and the role is not the owner's */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            408: components["responses"]["SlowBody"];
            /** @description It is open already, and nobody owns the node yet */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            415: components["responses"]["NotJson"];
            422: components["responses"]["Mistake"];
            423: components["responses"]["Sealed"];
            /** @description Too many attempts */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            500: components["responses"]["Internal"];
            503: components["responses"]["Away"];
        };
    };
    authority: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The certificate, as PEM */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-x509-ca-cert": string;
                };
            };
            403: components["responses"]["Forbidden"];
            /** @description There is none for whoever asks */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            413: components["responses"]["TooLarge"];
            500: components["responses"]["Internal"];
        };
    };
    metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Metrics for Prometheus */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/openmetrics-text": unknown;
                };
            };
            401: components["responses"]["SignedOut"];
            403: components["responses"]["Forbidden"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            423: components["responses"]["Sealed"];
            429: components["responses"]["TooOften"];
            500: components["responses"]["Internal"];
        };
    };
}
