SELECT 1 /* ; */ ; -- x
ATTACH 'x'