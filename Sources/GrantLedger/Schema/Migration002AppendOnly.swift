extension MigrationText {
    /// What has been recorded stays recorded: changes are refused by a trigger, whoever asks, and by privileges.
    static let appendOnly = """
        CREATE FUNCTION clawgrant.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'clawgrant.% is append-only: % is refused', TG_TABLE_NAME, TG_OP
                USING ERRCODE = 'restrict_violation';
        END $$;

        CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE ON clawgrant.event
            FOR EACH ROW EXECUTE FUNCTION clawgrant.refuse_change();
        CREATE TRIGGER effect_group_append_only BEFORE UPDATE OR DELETE ON clawgrant.effect_group
            FOR EACH ROW EXECUTE FUNCTION clawgrant.refuse_change();
        CREATE TRIGGER receipt_batch_append_only BEFORE UPDATE OR DELETE ON clawgrant.receipt_batch
            FOR EACH ROW EXECUTE FUNCTION clawgrant.refuse_change();
        CREATE TRIGGER receipt_batch_no_truncate BEFORE TRUNCATE ON clawgrant.receipt_batch
            FOR EACH STATEMENT EXECUTE FUNCTION clawgrant.refuse_change();
        CREATE TRIGGER signing_key_append_only BEFORE UPDATE OR DELETE ON clawgrant.signing_key
            FOR EACH ROW EXECUTE FUNCTION clawgrant.refuse_change();
        CREATE TRIGGER work_policy_contract_append_only BEFORE UPDATE OR DELETE ON clawgrant.work_policy_contract
            FOR EACH ROW EXECUTE FUNCTION clawgrant.refuse_change();

        CREATE FUNCTION clawgrant.refuse_second_outcome() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF OLD.state <> 0 AND (NEW.state <> OLD.state OR NEW.token_hash IS DISTINCT FROM OLD.token_hash) THEN
                RAISE EXCEPTION 'request % has its outcome already', OLD.request_id
                    USING ERRCODE = 'restrict_violation';
            END IF;
            IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN
                RAISE EXCEPTION 'the token of request % is revoked already', OLD.request_id
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER request_one_outcome BEFORE UPDATE ON clawgrant.request
            FOR EACH ROW EXECUTE FUNCTION clawgrant.refuse_second_outcome();
        """
}
