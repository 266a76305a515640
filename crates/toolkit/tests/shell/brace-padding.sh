echo {01..03} x{a,}
