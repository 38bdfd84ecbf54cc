"""How the line is brought up and watched."""
