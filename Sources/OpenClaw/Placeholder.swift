enum OpenClawPlaceholder {}
