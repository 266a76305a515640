( trap 'echo sub exit' EXIT; echo in )
