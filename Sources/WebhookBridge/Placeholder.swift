enum WebhookBridgePlaceholder {}
