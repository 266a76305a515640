printf '%(%Y)T\n' 0
