enum GraphConfirmationPlaceholder {}
